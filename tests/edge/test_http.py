"""What the endpoints answer to wrong input: RFC 9457 problems that say what to do about it."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from shared.ids import new_id

PREFIX = "urn:vouchsafe:problem:"
MINE = "http-tests"
OTHERS = "http-tests-other"
PATH = f"/api/tenants/{MINE}"
GRANT = {
    "operations": ["read"],
    "purpose": "a crop that looks wrong",
    "ticket": "T-1",
    "engineer": "sven",
    "expiresAt": "2100-01-01T00:00:00Z",
}


@pytest.fixture(scope="module", autouse=True)
async def tenants(http, token):
    """Two tenants of these tests."""
    vendor = {"Authorization": f"Bearer {token(roles='vendor.service')}"}
    for tenant in (MINE, OTHERS):
        body = {"id": tenant, "displayName": "A tenant", "residencyZone": "eu"}
        answer = await http.post("/api/tenants", json=body, headers=vendor)
        assert answer.status_code == 201, answer.text


@pytest.fixture(scope="module")
def mia(token):
    """The headers of a DAM manager of the first tenant."""
    return {"Authorization": f"Bearer {token(roles='tenant.dam_manager', tenant=MINE, oid='mia')}"}


def check(answer, status, code):
    """Hold an answer to the form of a problem, and return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    problem = answer.json()
    assert problem.keys() == {"type", "title", "status", "detail", "remedy"}
    assert problem["type"] == PREFIX + code
    assert problem["status"] == status
    assert problem["title"] == code.replace("-", " ").capitalize()
    assert problem["detail"].endswith(".")
    assert problem["remedy"].endswith(".")
    return problem


async def test_requests_without_a_valid_token(stack, http, token):
    async def minted_for(scope):
        form = {"grant_type": "client_credentials", "client_id": "mia", "scope": scope}
        form |= {"roles": "tenant.dam_manager", "tenant": MINE}
        async with httpx.AsyncClient(trust_env=False) as issuer:
            answer = await issuer.post(stack.info["token"]["endpoint"], data=form)
        return answer.json()["access_token"]

    good = token(roles="tenant.dam_manager", tenant=MINE)
    head, claims, _ = good.split(".")
    for given, code in (
        (None, "token-missing"),
        ("", "token-missing"),
        ("Bearer", "token-missing"),
        (f"Basic {good}", "token-missing"),
        ("Bearer garbage", "token-invalid"),
        (f"Bearer {head}.{claims}.AAAA", "token-invalid"),
        (f"Bearer {head}.{claims}.", "token-invalid"),
        (f"Bearer {await minted_for('api://another')}", "token-invalid"),
        (f"Bearer {token(roles='tenant.viewer', tenant=MINE, expires_in=-3600)}", "token-expired"),
        (f"Bearer {token(roles='tenant.viewer')}", "token-invalid"),
        (f"Bearer {token(roles='tenant.viewer vendor.dpo', tenant=MINE)}", "token-invalid"),
        (f"Bearer {token(roles='vendor.dpo', tenant=MINE)}", "token-invalid"),
    ):
        headers = {} if given is None else {"Authorization": given}
        answer = await http.get(f"{PATH}/assets", headers=headers)
        check(answer, 401, code)
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert good not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "roles", "tenant", "status", "code"),
    [
        ("GET", f"{PATH}/assets", "", None, 403, "role-missing"),
        ("GET", f"{PATH}/assets", "made.up", MINE, 403, "role-missing"),
        ("GET", f"{PATH}/assets", "vendor.support", None, 403, "role-missing"),
        ("POST", f"{PATH}/uploads", "tenant.viewer", MINE, 403, "role-missing"),
        ("POST", "/api/tenants", "tenant.admin", MINE, 403, "role-missing"),
        ("POST", "/api/backup-audits", "vendor.officer", None, 403, "role-missing"),
        ("GET", f"{PATH}/assets", "tenant.admin", OTHERS, 404, "tenant-not-found"),
        ("POST", f"{PATH}/accesses", "tenant.admin", OTHERS, 404, "tenant-not-found"),
        ("POST", f"{PATH}/accesses", "tenant.admin", MINE, 400, "body-missing"),
        ("GET", "/api/tenants/nobody-here/assets", "tenant.admin", MINE, 404, "tenant-not-found"),
        ("GET", "/api/tenants/nobody-here", "vendor.service", None, 404, "tenant-not-found"),
        ("GET", "/api/tenants/NOT%20ONE", "vendor.service", None, 404, "tenant-not-found"),
        ("GET", f"{PATH}/assets/none", "tenant.viewer", MINE, 404, "asset-not-found"),
        (
            "GET",
            f"{PATH}/consent-grants/none",
            "tenant.viewer",
            MINE,
            404,
            "consent-grant-not-found",
        ),
        (
            "GET",
            f"{PATH}/erasure-requests/none",
            "tenant.admin",
            MINE,
            404,
            "erasure-request-not-found",
        ),
        ("GET", "/api/backup-audits/yesterday", "vendor.dpo", None, 422, "day-invalid"),
        ("GET", "/api/backup-audits/20260101", "vendor.dpo", None, 422, "day-invalid"),
        (
            "GET",
            "/api/backup-audits/2020-01-01/none",
            "vendor.dpo",
            None,
            404,
            "backup-audit-not-found",
        ),
    ],
)
async def test_callers_who_may_not_and_things_that_are_not(
    http, token, method, path, roles, tenant, status, code
):
    headers = {"Authorization": f"Bearer {token(roles=roles, tenant=tenant)}"}
    check(await http.request(method, path, headers=headers), status, code)


async def test_another_tenant_reads_like_one_that_does_not_exist(http, token):
    headers = {"Authorization": f"Bearer {token(roles='tenant.admin', tenant=MINE)}"}
    others = await http.get(f"/api/tenants/{OTHERS}/log/entries", headers=headers)
    nobodys = await http.get("/api/tenants/nobody-here/log/entries", headers=headers)
    assert check(others, 404, "tenant-not-found") == check(nobodys, 404, "tenant-not-found")


@pytest.mark.parametrize(
    ("body", "code", "named"),
    [
        (b"", "body-missing", ""),
        (b"{", "body-invalid", ""),
        (b'{"path": "a.jpg"} and more', "body-invalid", ""),
        (b'{"path": "\xff"}', "body-invalid", ""),
        (b"null", "body-invalid", ""),
        (b'{"path":' + 10_000 * b"[", "body-invalid", ""),
        (b"[]", "body-invalid", ""),
        (b"{}", "body-invalid", "path"),
        (b'{"path": 7}', "body-invalid", "$.path"),
        (b'{"path": ""}', "body-invalid", "$.path"),
        (b'{"path": "a", "mediaType": "a/b"}', "body-invalid", "size"),
        (b'{"path": "a", "mediaType": "a/b", "size": -1}', "body-invalid", "$.size"),
        (b'{"path": "a", "mediaType": "a/b", "size": "1"}', "body-invalid", "$.size"),
        (b'{"path": "a", "mediaType": "a/b", "size": 9223372036854775808}', "body-invalid", "size"),
        (b'{"path": "a", "size": 1, "mediaType": "jpeg"}', "body-invalid", "$.mediaType"),
        (b'{"path": "a", "size": 1, "mediaType": "a/b\\n"}', "body-invalid", "$.mediaType"),
        (b'{"path": "a.jpg", "colour": 1}', "body-invalid", "colour"),
        (b"[" * 100_000, "body-invalid", ""),
    ],
)
async def test_bodies_that_cannot_be_read(http, mia, body, code, named):
    answer = await http.post(f"{PATH}/uploads", content=body, headers=mia)
    assert named in check(answer, 400, code)["detail"]


def declared(path, **more):
    return {"path": path, "size": 1, "mediaType": "image/jpeg"} | more


@pytest.mark.parametrize(
    ("size", "status", "code"),
    [
        (0, 422, "upload-empty"),
        (100 * 1024**3, 201, None),
        (100 * 1024**3 + 1, 413, "upload-too-large"),
        (2**63 - 1, 413, "upload-too-large"),
    ],
)
async def test_sizes_that_are_taken_in(http, mia, size, status, code):
    answer = await http.post(f"{PATH}/uploads", json=declared("a.mxf", size=size), headers=mia)
    if code:
        check(answer, status, code)
    else:
        assert answer.status_code == status


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"verdict": "good"}, "$.verdict"),
        ({"uploadedFrom": "yesterday"}, "$.uploadedFrom"),
        ({"uploadedFrom": "2026-01-01T00:00:00"}, "$.uploadedFrom"),
        # Not two thousand seconds after 1970.
        ({"uploadedFrom": "2026"}, "$.uploadedFrom"),
        ({"uploadedBefore": "soon"}, "$.uploadedBefore"),
        ({"prefix": "x" * 1025}, "$.prefix"),
    ],
)
async def test_queries_that_are_no_filter(http, mia, query, named):
    answer = await http.get(f"{PATH}/assets", params=query, headers=mia)
    assert named in check(answer, 422, "query-invalid")["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "a/../../x",
        "..",
        ".",
        "./x",
        "/x",
        "a//b",
        "a/",
        "x.",
        "a./b",
        "a\\b",
        "a\nb",
        "a\x7fb",
        "/".join(["a"] * 254),
        "a" * 1020,
    ],
)
async def test_paths_that_cannot_be_uploaded_to(http, mia, path):
    answer = await http.post(f"{PATH}/uploads", json=declared(path), headers=mia)
    check(answer, 422, "path-invalid")


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        (
            "consent-grants",
            GRANT | {"expiresAt": "2020-01-01T00:00:00Z"},
            422,
            "consent-grant-expired",
        ),
        (
            "consent-grants",
            GRANT | {"expiresAt": "9999-12-31T23:59:59-12:00"},
            422,
            "consent-grant-expiry-invalid",
        ),
        (
            "consent-grants",
            GRANT | {"expiresAt": "0001-01-01T00:00:00+12:00"},
            422,
            "consent-grant-expiry-invalid",
        ),
        ("consent-grants", GRANT | {"expiresAt": "2100-01-01T00:00:00"}, 400, "body-invalid"),
        ("consent-grants", GRANT | {"operations": ["delete"]}, 400, "body-invalid"),
        ("consent-grants", GRANT | {"operations": []}, 400, "body-invalid"),
        ("consent-grants", GRANT | {"purpose": ""}, 400, "body-invalid"),
        ("erasure-requests", {"name": " .,- !"}, 422, "identifier-empty"),
        ("erasure-requests", {"name": ""}, 400, "body-invalid"),
        ("erasure-requests", {}, 400, "body-invalid"),
        ("erasure-requests", {"name": "a b", "identifiers": ["a b"]}, 400, "body-invalid"),
        ("erasure-requests", {"identifiers": []}, 400, "body-invalid"),
        ("erasure-requests", {"identifiers": ["Nora Hahn", "x"]}, 422, "identifier-too-short"),
        ("erasure-requests", {"name": "x" * 10_001}, 400, "body-invalid"),
    ],
)
async def test_wishes_that_cannot_be_granted(http, mia, path, body, status, code):
    check(await http.post(f"{PATH}/{path}", json=body, headers=mia), status, code)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"id": "No Good", "residencyZone": "eu"}, 422, "tenant-id-invalid"),
        ({"id": "a--b", "residencyZone": "eu"}, 422, "tenant-id-invalid"),
        ({"id": "somewhere", "residencyZone": "mars"}, 422, "residency-zone-unknown"),
        ({"id": "somewhere", "residencyZone": "us"}, 422, "residency-zone-not-served"),
        ({"id": "somewhere", "residencyZone": "de"}, 422, "residency-zone-not-served"),
        ({"id": MINE, "residencyZone": "eu"}, 409, "tenant-exists"),
    ],
)
async def test_tenants_that_cannot_be_registered(http, token, body, status, code):
    headers = {"Authorization": f"Bearer {token(roles='vendor.service')}"}
    given = {"displayName": "Another name"} | body
    check(await http.post("/api/tenants", json=given, headers=headers), status, code)


@pytest.mark.parametrize(
    "limit", ["0", "abc", "1001", "-1", "1.5", "", "٣", "9" * 30, "0001000000"]
)
async def test_limits_that_are_refused(http, mia, limit):
    answer = await http.get(f"{PATH}/assets", params={"limit": limit}, headers=mia)
    check(answer, 422, "limit-invalid")


@pytest.mark.parametrize("listed", ["assets", "consent-grants", "erasure-requests", "log/entries"])
@pytest.mark.parametrize("given", ["garbage", "é", "bnVsbA", "eyJhIjoxfQ", "W10", "%%%"])
async def test_continuations_that_are_not_ours(http, mia, listed, given):
    answer = await http.get(f"{PATH}/{listed}", params={"continuation": given}, headers=mia)
    check(answer, 400, "continuation-token-invalid")


async def test_pages_lead_on_to_each_other(http, mia):
    grants = [await http.post(f"{PATH}/consent-grants", json=GRANT, headers=mia) for _ in range(3)]
    made = {grant.json()["id"] for grant in grants}
    seen, continuation = [], ""
    while continuation is not None:
        params = {"limit": "2", "continuation": continuation}
        page = await http.get(f"{PATH}/consent-grants", params=params, headers=mia)
        assert len(page.json()["consentGrants"]) <= 2
        seen += [grant["id"] for grant in page.json()["consentGrants"]]
        continuation = page.json()["continuation"]
    assert made <= set(seen)
    assert len(seen) == len(set(seen))


async def test_the_same_idempotency_key_is_the_same_grant(http, mia, token):
    def keyed(given, who=mia):
        return who | {"Idempotency-Key": given}

    key = new_id(datetime.now(UTC))
    url = f"{PATH}/consent-grants"
    body = GRANT | {"expiresAt": "2100-01-01T00:00:00.123456+02:00"}
    first = await http.post(url, json=body, headers=keyed(key))
    again = await http.post(url, json=body, headers=keyed(key))
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    other_body = await http.post(url, json=GRANT | {"ticket": "T-2"}, headers=keyed(key))
    check(other_body, 422, "idempotency-key-reused")
    noor = {"Authorization": f"Bearer {token(roles='tenant.admin', tenant=MINE, oid='noor')}"}
    other_caller = await http.post(url, json=GRANT, headers=keyed(key, noor))
    assert other_caller.status_code == 201
    assert other_caller.json()["id"] != first.json()["id"]
    for bad in ("", "x" * 256):
        check(await http.post(url, json=GRANT, headers=keyed(bad)), 422, "idempotency-key-invalid")


async def test_health_needs_no_token(http):
    alive = await http.get("/api/health")
    assert (alive.status_code, alive.json()) == (200, {"status": "ok"})
    ready = await http.get("/api/health/ready")
    assert ready.status_code == 200
    assert ready.json()["status"] == "ok"
    assert ready.json()["checks"].keys() == {"storage", "bus", "vault", "data-key-vault"}
    for check_ in ready.json()["checks"].values():
        assert check_["reachable"] is True
        assert 0 < check_["latencyMs"] < timedelta(seconds=5) / timedelta(milliseconds=1)
