"""The form of parameters: whatever a stranger writes into a path or a query is answered clearly."""

import base64
import json
import uuid
from urllib.parse import quote

import httpx
import pytest

from functions.documents import EVERY_BLUEPRINT
from functions.edge.operations import OPERATIONS
from functions.edge.parameters import check_parameters
from shared.errors import InvalidInputError, NotFoundError
from shared.identity.rules import TENANT_ROLES
from tests.journeys.portal import Portal


@pytest.fixture(scope="module")
async def portal(stack):
    async with Portal(stack, f"parameters-{uuid.uuid4().hex[:12]}") as portal:
        yield portal


@pytest.mark.parametrize(
    "value",
    ["", "a" * 129, "\ud800", "\0", "a|b", "\N{GRINNING FACE}" * 128, "%ff", "..", "a b", "\uffff"],
)
def test_what_is_no_id_is_found_nowhere(value):
    with pytest.raises(NotFoundError):
        check_parameters({"tenant": "acme", "asset": value}, {})


@pytest.mark.parametrize("value", ["\ud800", "\0", "a\nb", "\x1b[2J", "x" * 8193, "\uffff"])
def test_what_is_no_plain_text_is_no_query(value):
    with pytest.raises(InvalidInputError):
        check_parameters({}, {"resource": value})


def token(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


KEYS = (
    {"PartitionKey": "\ud800", "RowKey": "b"},
    {"PartitionKey": "x\r\nX-Evil: 1", "RowKey": "b&x=1"},
    {"PartitionKey": "a" * 5000, "RowKey": "b"},
    {"PartitionKey": 1, "RowKey": 2},
    {"PartitionKey": ["a"], "RowKey": {}},
    {"PartitionKey": "\u5199", "RowKey": "b"},
    {"PartitionKey": True, "RowKey": False},
)


@pytest.mark.parametrize("listed", ["assets", "consent-grants", "erasure-requests"])
@pytest.mark.parametrize("keys", KEYS)
async def test_a_made_up_continuation_is_refused(portal, listed, keys):
    answer = await portal.mine("GET", listed, params={"continuation": token(keys)})
    assert answer.status_code == 400, answer.text
    assert answer.json()["type"].endswith(":continuation-token-invalid")


@pytest.mark.parametrize("keys", KEYS)
async def test_a_made_up_continuation_of_the_tenants_is_refused(portal, keys):
    params = {"continuation": token(keys)}
    answer = await portal.call("GET", "tenants", who="service", params=params)
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("one", ["\u5199", "\N{GRINNING FACE}", "a", "'", "%", "\xe9"])
@pytest.mark.parametrize("length", [1, 199, 200, 201, 1024])
async def test_a_prefix_of_any_length_and_script_is_a_filter(portal, one, length):
    answer = await portal.mine("GET", "assets", params={"prefix": one * length})
    assert answer.status_code == 200, answer.text
    assert answer.json()["assets"] == []


STRANGE = (
    "%ed%a0%80",
    "%00",
    "%ff%fe",
    "%c0%ae",
    "%",
    "%zz",
    "%0d%0aX-Evil:%201",
    "%25%32%46",
    quote("\N{GRINNING FACE}" * 128),
    quote("\uffff"),
    "a" * 600,
    "a" * 16_000,
    "%7C",
    "..%2f..%2fx",
    "9" * 400,
    "1e3",
    "%D9%A3",
    "%20",
    "*",
)
READS = [
    (method, path)
    for method, path in sorted(OPERATIONS)
    if "{tenant}" in path and method == "GET" and TENANT_ROLES & set(OPERATIONS[method, path].roles)
]


def test_the_list_of_reads_is_whole():
    assert len(READS) > len(EVERY_BLUEPRINT) // 2


@pytest.mark.parametrize(("method", "path"), READS)
async def test_no_path_and_no_query_is_a_fault_of_the_app(stack, portal, method, path):
    token = await portal.token(f"mia-{READS.index((method, path))}", "tenant.admin", portal.tenant)
    # Without the check of the contract: the host itself answers a path that it does not know.
    async with httpx.AsyncClient(
        base_url=f"{stack.info['endpoints']['app']}/api/",
        headers={"Authorization": f"Bearer {token}"},
        trust_env=False,
        timeout=60,
    ) as http:
        await ask_everything(http, portal, method, path)


async def ask_everything(http, portal, method, path):
    asked = [parameter.name for parameter in OPERATIONS[method, path].query] or ["continuation"]
    below = path.replace("{tenant}", portal.tenant)
    for value in STRANGE:
        parts = [value if part.startswith("{") else part for part in below.split("/")]
        if "{" in below:
            answer = await http.get("/".join(parts))
            assert answer.status_code in (400, 404, 414, 422, 431), (value, answer.text)
        filled = "/".join("x" if part.startswith("{") else part for part in below.split("/"))
        for name in asked:
            answer = await http.get(f"{filled}?{name}={value}")
            assert answer.status_code < 500, (name, value, answer.text)


@pytest.mark.parametrize(
    "headers",
    [
        {"If-Match": b"\xff" * 1000},
        {"Idempotency-Key": b"\xe9\xff"},
        {"Idempotency-Key": b"a" * 300},
        {"traceparent": b"\xff" * 55},
        {"X-Forwarded-For": b"\xff, ::%\xff"},
        {"Accept": b"\xff" * 5000},
        {"Content-Type": b"\xff"},
        {"Authorization": b"Bearer \xff"},
        {"Authorization": b"Bearer " + b"a." * 7000},
    ],
)
async def test_no_header_is_a_fault_of_the_app(portal, headers):
    for method, path in (("GET", "assets"), ("POST", "consent-grants")):
        answer = await portal.send(method, f"tenants/{portal.tenant}/{path}", headers=headers)
        assert answer.status_code < 500, answer.text
