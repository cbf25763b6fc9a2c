"""The JSON bodies that the endpoints take."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from shared.messages.contracts import AwareTime, Identifier, Text


class Body(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Base of every request body: camelCase names, unknown fields refused."""


class UploadRequest(Body, frozen=True):
    """Ask for a URL to upload one file to `path`, in the tenant's own folder."""

    path: Annotated[str, Meta(min_length=1, max_length=1024)]


class GrantRequest(Body, frozen=True):
    """Let `engineer` do `operations` under `path_prefix` (all of it where empty)."""

    operations: Annotated[tuple[Literal["read"], ...], Meta(min_length=1)]
    purpose: Text
    ticket: Text
    engineer: Identifier
    expires_at: AwareTime
    path_prefix: Annotated[str, Meta(max_length=1024)] = ""


class AccessRequest(Body, frozen=True):
    """Ask to do `operation` to an asset, for the purpose and ticket that the tenant agreed to."""

    asset_id: Identifier
    operation: Literal["read"]
    purpose: Text
    ticket: Text


class ErasureRequest(Body, frozen=True):
    """Ask for the erasure of the person called `name`; an e-mail address will do as well."""

    name: Annotated[str, Meta(min_length=1, max_length=256)]
