"""The JSON bodies that the endpoints take."""

from typing import Annotated

from msgspec import Meta, Struct


class Body(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Base of every request body: camelCase names, unknown fields refused."""


class UploadRequest(Body, frozen=True):
    """Ask for a URL to upload one file to `path`, in the tenant's own folder."""

    path: Annotated[str, Meta(min_length=1, max_length=1024)]
