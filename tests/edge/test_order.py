"""The order of the way in: token, role and tenant, and only then the rest of a request.

People of a tenant learn nothing of other tenants: for a tenant that exists and for a tenant that
does not, each answer is the same, byte for byte, and no service is asked.
"""

import json

import azure.functions as func
import pytest

from functions.documents import EVERY_BLUEPRINT
from functions.edge.operations import OPERATIONS
from infra.local.ports import Ports
from infra.local.settings import app_settings
from shared import composition
from shared.composition import core
from shared.composition.edge import EdgeFlow
from shared.identity import Caller
from shared.identity.rules import TENANT_ROLES, VENDOR_ROLES

FOREIGN = ("globex", "nobody-here", "NOT-ONE", "a" * 300, "acme/../globex", "\u0430cme", "")
BODIES = (b"", b"{", b"{}", b'{"assetId":1}', b"\xff", b"x" * (9 * 1024 * 1024))
FUNCTIONS = {
    builder._function.get_function_name(): builder._function.get_user_function()
    for blueprint in EVERY_BLUEPRINT
    for builder in blueprint._function_builders
}
OF_TENANTS = [one for one in sorted(OPERATIONS) if "{tenant}" in one[1]]


class Untouched:
    """A service that nobody may ask."""

    def __getattr__(self, name):
        raise AssertionError(f"a service was asked for {name}")


class Known:
    """Tokens of one caller."""

    def __init__(self, caller):
        self._caller = caller

    async def caller(self, _authorization):
        return self._caller


@pytest.fixture
def enter(monkeypatch, tmp_path):
    """Return a function that sends a caller's request to an endpoint. No service may be asked."""
    monkeypatch.setattr(core, "_current", None)
    composition.start(app_settings(Ports(), tmp_path / "ca.pem", "header"))
    for adapter in ("tables", "blobs", "bus", "secrets"):
        setattr(core._current.adapters, adapter, Untouched())

    async def send(caller, method, path, tenant, body):
        composition.flow(EdgeFlow).tokens = Known(caller)
        names = [part.strip("{}*") for part in path.split("/") if part.startswith("{")]
        request = func.HttpRequest(
            method,
            "/api",
            headers={},
            params={"limit": "abc", "from": "x", "continuation": "\ud800"},
            route_params=dict.fromkeys(names, "\ud800") | {"tenant": tenant},
            body=body,
        )
        answer = await FUNCTIONS[OPERATIONS[method, path].name](request)
        return answer.status_code, answer.get_body(), str(dict(answer.headers))

    return send


def member(*roles):
    return Caller("mia", frozenset(roles), "acme", "Acme")


@pytest.mark.parametrize(("method", "path"), OF_TENANTS)
@pytest.mark.parametrize("role", [*sorted(TENANT_ROLES), None])
async def test_people_of_a_tenant_get_one_answer_for_every_other_tenant(enter, method, path, role):
    caller = member(*([role] if role else []))
    answers = {
        await enter(caller, method, path, tenant, body) for tenant in FOREIGN for body in BODIES
    }
    [(status, content, _)] = answers
    assert status == 404
    assert json.loads(content)["type"] == "urn:vouchsafe:problem:tenant-not-found"


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        (method, path, role)
        for method, path in OF_TENANTS
        for role in (*sorted(VENDOR_ROLES), None)
        # A vendor's role that the endpoint admits may know the tenants.
        if role not in OPERATIONS[method, path].roles
    ],
)
async def test_who_has_no_role_for_an_endpoint_learns_of_no_tenant(enter, method, path, role):
    caller = Caller("eve", frozenset({role} if role else ()), None, "vendor")
    answers = {
        await enter(caller, method, path, tenant, body) for tenant in FOREIGN for body in BODIES
    }
    [(status, _, _)] = answers
    assert status == 403


@pytest.mark.parametrize(("method", "path"), OF_TENANTS)
async def test_the_own_tenant_without_the_role_is_refused_before_the_input_is_read(
    enter, method, path
):
    for role in sorted(TENANT_ROLES - set(OPERATIONS[method, path].roles)):
        answers = {await enter(member(role), method, path, "acme", body) for body in BODIES}
        [(status, _, _)] = answers
        assert status == 403


def test_the_list_of_endpoints_is_whole():
    assert len(OF_TENANTS) > 20
    assert {operation.name for operation in OPERATIONS.values()} <= FUNCTIONS.keys()
