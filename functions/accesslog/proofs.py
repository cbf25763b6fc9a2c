"""A tenant's log in the layout of C2SP tlog-tiles, with the means to verify the log.

Every answer needs a token, so a cache may keep an answer as `private` alone. Reading by the
vendor's people is recorded each time, so no cache keeps their answers. A redaction may change an
entry bundle, so a cache keeps a bundle for a day; hashes never change.
"""

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import azure.functions as func

from functions.accesslog.bodies import ConsistencyProofView, KeySet
from functions.accesslog.entries import READING
from functions.edge.calls import Call, Reply
from functions.edge.disclosures import NOTHING, LogRead
from functions.edge.http import HttpRoutes
from functions.edge.operations import Parameter, Raw
from shared.composition.accesslog import AccessLogFlow
from shared.errors import InvalidInputError, NotFoundError
from shared.identity.rules import VENDOR_ROLES

blueprint = func.Blueprint()
http = HttpRoutes(blueprint, AccessLogFlow)

_TEXT = "text/plain"
_BYTES = "application/octet-stream"
_FOR_SECONDS = "max-age=5"
_FOR_A_DAY = "max-age=86400"
_FOR_EVER = "max-age=31536000, immutable"
_NOTE = Raw(("text/plain",))


@http.endpoint(
    "GET",
    "tenants/{tenant}/log/checkpoint",
    discloses=LogRead("log/checkpoint"),
    roles=READING,
    replies={200: _NOTE},
)
async def read_checkpoint(call: Call[AccessLogFlow]) -> Reply:
    """Read the newest published checkpoint, with the cosignatures of witnesses (C2SP)."""
    latest = await call.flow.checkpoints.latest(call.tenant)
    latest = await call.flow.checkpoints.witnessed(call.tenant, latest)
    return Reply(200, None, _caching(call, _FOR_SECONDS), latest.note.encode(), _TEXT)


@http.endpoint(
    "POST",
    "tenants/{tenant}/log/checkpoints",
    discloses=LogRead("log/checkpoints"),
    roles=READING,
    replies={201: _NOTE},
)
async def publish_checkpoint(call: Call[AccessLogFlow]) -> Reply:
    """Sign and publish a checkpoint of the present log; an existing checkpoint stays."""
    made = await call.flow.checkpoints.publish(call.tenant)
    location = f"/api/tenants/{call.tenant}/log/checkpoints/{made.size}"
    return Reply(201, None, {"Location": location}, made.note.encode(), _TEXT)


@http.endpoint(
    "GET",
    "tenants/{tenant}/log/checkpoints/{size}",
    discloses=LogRead("log/checkpoints"),
    roles=READING,
    replies={200: _NOTE},
)
async def read_old_checkpoint(call: Call[AccessLogFlow]) -> Reply:
    """Read the published checkpoint of a size, with the cosignatures."""
    size = size_of(call.param("size"), "size")
    found = await call.flow.checkpoints.at(call.tenant, size)
    found = await call.flow.checkpoints.witnessed(call.tenant, found)
    return Reply(200, None, _caching(call, _FOR_SECONDS), found.note.encode(), _TEXT)


@http.endpoint(
    "GET",
    "tenants/{tenant}/log/tile/{*path}",
    discloses=LogRead("log/tile"),
    roles=READING,
    replies={200: Raw((_BYTES,))},
)
async def read_tile(call: Call[AccessLogFlow]) -> Reply:
    """A tile of hashes, `{level}/{index}`, or a bundle of entries, `entries/{index}` (C2SP).

    Partial ones end in `.p/{width}`.
    """
    from shared.merkle import encode_bundle, parse_entries_path, parse_tile_path

    path = f"tile/{call.param('path')}"
    if not path.startswith("tile/entries/"):
        with _no_such_path():
            tile = parse_tile_path(path)
        hashes = await call.flow.store.tile(call.tenant, tile)
        return Reply(200, None, _caching(call, _FOR_EVER), hashes, _BYTES)
    with _no_such_path():
        index, width = parse_entries_path(path)
    bundle = encode_bundle(await call.flow.store.bundle(call.tenant, index, width))
    headers = {**_caching(call, _FOR_A_DAY), "Vary": "Accept-Encoding"}
    if "gzip" in call.request.headers.get("Accept-Encoding", ""):
        import gzip

        headers["Content-Encoding"] = "gzip"
        bundle = gzip.compress(bundle, 6, mtime=0)
    return Reply(200, None, headers, bundle, _BYTES)


@http.endpoint(
    "GET",
    "tenants/{tenant}/log/consistency",
    discloses=LogRead("log/consistency"),
    roles=READING,
    replies={200: (ConsistencyProofView, _NOTE)},
    query=(
        Parameter("from", "The size of the older tree."),
        Parameter("to", "The size of the newer tree; that of the newest checkpoint if left out."),
        Parameter("format", "`json`, or `witness` for the body of a C2SP add-checkpoint request."),
    ),
)
async def prove_consistency(call: Call[AccessLogFlow]) -> Reply:
    """Prove that the log of a size continues the log of a smaller size."""
    form = call.choice("format", ("json", "witness"))
    old = size_of(call.request.params.get("from", ""), "from")
    given = call.request.params.get("to")
    new = size_of(given, "to") if given else (await call.flow.checkpoints.latest(call.tenant)).size
    covering = await call.flow.checkpoints.covering(call.tenant, new)
    if not old <= new <= covering.size:
        raise InvalidInputError(
            "log-size-invalid",
            f"The log has {covering.size} entries, and there is no proof from {old} to {new}.",
            "Pass sizes that the log has had, the older one as `from`.",
        )
    proof = await call.flow.proofs.consistency(call.tenant, old, new)
    if form == "witness":
        from shared.merkle import AddCheckpoint

        checkpoint = await call.flow.checkpoints.at(call.tenant, new)
        body = str(AddCheckpoint(old, tuple(proof), checkpoint.note))
        return Reply(200, None, content=body.encode(), content_type=_TEXT)
    roots = [await call.flow.proofs.root(call.tenant, size) for size in (old, new)]
    encoded = [base64.b64encode(one).decode() for one in (*roots, *proof)]
    return Reply(
        200,
        {
            "from": old,
            "to": new,
            "fromRootHash": encoded[0],
            "toRootHash": encoded[1],
            "proof": encoded[2:],
        },
    )


@http.endpoint(
    "GET",
    "keys",
    discloses=NOTHING,
    roles=None,
    replies={200: KeySet},
    query=(Parameter("tenant", "The tenant whose log's verifier keys (vkeys) are wanted too."),),
)
async def read_keys(call: Call[AccessLogFlow]) -> Reply:
    """List the public keys that verify checkpoints, of every version, as a JWK Set (RFC 7517).

    A disabled key signs no more, and has `revoked` with the time in `revoked_at`. RFC 7517 has no
    member for the time; the member is from OpenID Federation 1.0, "Federation Historical Keys
    Response".
    """
    from shared.merkle import VerifierKey
    from shared.tenancy.rules import check_tenant_id

    tenant = call.request.params.get("tenant")
    if tenant:
        check_tenant_id(tenant)
    keys: list[dict[str, object]] = []
    revoked = await call.flow.keys.revoked()
    for one in await call.flow.keys.published():
        # RFC 8037 section 2.
        jwk: dict[str, object] = {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": one.public,
            "kid": one.version,
        }
        jwk |= {"use": "sig", "alg": "EdDSA"}
        if one.version in revoked:
            jwk["revoked"] = {"revoked_at": int(revoked[one.version].timestamp())}
        if tenant:
            jwk["vkey"] = str(VerifierKey(call.flow.checkpoints.origin(tenant), one.raw))
        keys.append(jwk)
    return Reply(200, {"keys": keys}, {"Cache-Control": "public, max-age=300"})


def size_of(text: str, name: str) -> int:
    """A size of the log, as a whole number. Raises InvalidInputError."""
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise InvalidInputError(
            "log-size-invalid",
            f"`{name}` is not the size of a log.",
            "Pass a whole number from 0 on.",
        )
    return int(text)


def _caching(call: Call[AccessLogFlow], how: str) -> Mapping[str, str]:
    is_recorded = bool(call.caller.roles & VENDOR_ROLES)
    return {} if is_recorded else {"Cache-Control": f"private, {how}"}


@contextmanager
def _no_such_path() -> Iterator[None]:
    from shared.merkle import ProofError

    try:
        yield
    except ProofError as error:
        raise NotFoundError(
            "log-tile-not-found",
            "This is not the path of a tile or of an entry bundle.",
            "Write it as C2SP tlog-tiles does, such as `tile/0/x001/067` or `tile/0/000.p/7`.",
        ) from error
