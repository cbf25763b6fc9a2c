"""The JSON bodies of the access log's endpoints."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from functions.edge.bodies import RequestBody, View
from shared.accesslog.proofs.witness import Witness
from shared.accesslog.reading.views import Listed
from shared.messages.contracts import Text


class RedactionRequest(RequestBody, frozen=True):
    """Erase an entry of the log for a `reason`: GDPR Art. 17 or 16, or a court's order.

    `ticket` is where the request is kept that leads to it.
    """

    reason: Literal["gdpr-art-17", "gdpr-art-16", "court-order"]
    ticket: Text


class WitnessRequest(RequestBody, frozen=True):
    """The public key of a witness, as `name+id+base64` (C2SP signed-note, type 0x04)."""

    vkey: Annotated[str, Meta(min_length=1, max_length=1024)]


class EntryPage(View, frozen=True):
    """Entries of the access log, and what to pass to read on."""

    entries: list[Listed]
    continuation: str | None


class EntryProofView(View, frozen=True):
    """An entry as it is kept, and its hash path to a checkpoint; bytes and hashes are in base64.

    `proof` goes from the leaf's sibling up to the root's child (RFC 6962 section 2.1.1).
    """

    index: int
    size: int
    entry: str
    leaf_hash: str
    proof: list[str]
    root_hash: str
    checkpoint: str


class ConsistencyProofView(View, frozen=True):
    """That the tree of one size continues another (RFC 6962 section 2.1.2); hashes in base64."""

    from_: int = field(name="from")
    to: int
    from_root_hash: str
    to_root_hash: str
    proof: list[str]


class WitnessList(View, frozen=True):
    """The witnesses of a log."""

    witnesses: list[Witness]


class Revoked(Struct, frozen=True):
    """Since when a key signs no more, in seconds since 1970 (OpenID Federation 1.0)."""

    revoked_at: int


class PublicKeyView(View, frozen=True):
    """A JSON Web Key (RFC 8037); `vkey` is the key as C2SP signed-note writes it."""

    kty: str
    crv: str
    x: str
    kid: str
    use: str
    alg: str
    revoked: Revoked | None = None
    vkey: str | None = None


class KeySet(View, frozen=True):
    """A JWK Set (RFC 7517)."""

    keys: list[PublicKeyView]
