"""The JSON bodies that the endpoints take."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from shared.intake.rules import Verdict
from shared.messages.contracts import AwareTime, Identifier, Text

# RFC 9110 section 8.3.1; what may follow as parameters is not looked into.
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_MEDIA_TYPE = rf"^{_WORD}/{_WORD}[ \t]*(?:;[ -~]*)?$(?!\n)"


class Body(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Base of every request body: camelCase names, unknown fields refused."""


class UploadRequest(Body, frozen=True):
    """Ask for a URL to upload one file of `size` bytes to `path`, in the tenant's own folder."""

    path: Annotated[str, Meta(min_length=1, max_length=1024)]
    size: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    media_type: Annotated[str, Meta(max_length=255, pattern=_MEDIA_TYPE)]


class AssetQuery(Struct, frozen=True, rename="camel"):
    """Which assets to list; times are RFC 3339, the later one is not included."""

    verdict: Verdict | None = None
    prefix: Annotated[str, Meta(max_length=1024)] = ""
    uploaded_from: AwareTime | None = None
    uploaded_before: AwareTime | None = None


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


class RedactionRequest(Body, frozen=True):
    """Erase an entry of the log for a `reason`: GDPR Art. 17 or 16, or a court's order.

    `ticket` is where the request is kept that leads to it.
    """

    reason: Literal["gdpr-art-17", "gdpr-art-16", "court-order"]
    ticket: Text


class WitnessRequest(Body, frozen=True):
    """The public key of a witness, as `name+id+base64` (C2SP signed-note, type 0x04)."""

    vkey: Annotated[str, Meta(min_length=1, max_length=1024)]


class ErasureRequest(Body, frozen=True):
    """Ask for the erasure of the person called `name`; an e-mail address will do as well."""

    name: Annotated[str, Meta(min_length=1, max_length=256)]
