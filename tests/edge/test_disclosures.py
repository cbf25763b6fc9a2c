"""Every endpoint that gives away a tenant's data says how the answer is recorded.

An endpoint with the declaration NOTHING is in a list here: the types that the endpoint replies with
have no tenant's data, for the reason in the list.
"""

from typing import get_args

import azure.functions as func
import msgspec
import pytest
from msgspec import Struct

from functions.documents import EVERY_BLUEPRINT
from functions.edge.disclosures import (
    NOTHING,
    Disclosed,
    LogRead,
    RecordedByFlow,
    record_answer,
)
from functions.edge.http import HttpRoutes
from functions.edge.operations import OPERATIONS
from shared.composition.messages import MessagesFlow
from shared.identity import ANONYMOUS

ENDPOINTS = [(method, path, operation) for (method, path), operation in OPERATIONS.items()]
# Each endpoint that records nothing: the types of the replies, down to the last, and the reason.
OF_NO_TENANT = {
    ("GET", "openapi.json"): (set(), "the document of the API"),
    ("GET", "asyncapi.json"): (set(), "the document of the queues"),
    ("GET", "health"): ({"Health"}, "the build and the region of the stamp"),
    ("GET", "health/ready"): ({"Readiness", "Check"}, "the state of the stamp's services"),
    ("GET", "keys"): (
        {"KeySet", "PublicKeyView", "Revoked"},
        "public keys of the stamp; an unknown tenant gets the same answer as a tenant",
    ),
    ("GET", "incidents"): (
        {"IncidentPage", "IncidentSummaryView"},
        "the vendor's records of what went wrong: ids, counts, and the app's own words",
    ),
    ("GET", "staff-contacts"): (
        {"StaffContactList", "StaffContactView"},
        "addresses of the vendor's staff",
    ),
    ("POST", "staff-contacts"): ({"StaffContactView"}, "an address of the vendor's staff"),
    ("GET", "staff-contacts/{contact}"): (
        {"StaffContactView"},
        "an address of the vendor's staff",
    ),
    ("PUT", "staff-contacts/{contact}"): (
        {"StaffContactView"},
        "an address of the vendor's staff",
    ),
    ("DELETE", "staff-contacts/{contact}"): (set(), "no content"),
    ("GET", "notice-refusals/{token}"): (set(), "the same page for every link"),
    ("GET", "failed-messages"): (
        {"FailedMessagePage", "FailedMessageView"},
        "queues, reasons, types and sizes of messages, and the ids of their tenants; no content",
    ),
    **{
        (method, f"maintenance-windows{path}"): (
            {"WindowPage", "WindowView"} if (method, path) == ("GET", "") else {"WindowView"},
            "times, zones and work of the stamp's maintenance, of no tenant",
        )
        for method, path in (
            ("POST", ""),
            ("GET", ""),
            ("GET", "/{window}"),
            ("PATCH", "/{window}"),
            ("POST", "/{window}/cancellation"),
        )
    },
    ("GET", "stamp-record"): (
        {"StampRecordPage", "StampAct", "Actor"},
        "acts of the vendor's people that concern no tenant of the stamp",
    ),
    ("POST", "backup-audits"): ({"Report", "ItemFinding"}, "the items of the vendor's vaults"),
    ("GET", "backup-audits/{day}"): ({"BackupAuditPage", "Summary"}, "counts of the audits"),
    ("GET", "backup-audits/{day}/{audit}"): (
        {"Report", "ItemFinding"},
        "the items of the vendor's vaults",
    ),
}
_BREACH = {
    "BreachView",
    "OverviewView",
    "ClockView",
    "Actor",
    "BreachAssessment",
    "BreachDecision",
    "SeverityFactors",
    "SeverityScore",
    "Factor",
    "ScopeCriteria",
}
OF_NO_TENANT |= dict.fromkeys(
    (
        ("POST", "breaches"),
        ("GET", "breaches/{breach}"),
        ("PUT", "breaches/{breach}/assessment"),
        ("PUT", "breaches/{breach}/decision"),
        ("PUT", "breaches/{breach}/scope"),
        ("PUT", "breaches/{breach}/notices"),
        ("PUT", "breaches/{breach}/reports/{deadline}"),
    ),
    (_BREACH, "the vendor's record of a breach: words, decisions, counts, clocks"),
)
OF_NO_TENANT["GET", "breaches"] = (
    {
        "BreachPage",
        "BreachSummaryView",
        "Actor",
        "BreachAssessment",
        "BreachDecision",
        "SeverityFactors",
    },
    "the register of breaches: the vendor's words and decisions",
)
OF_TENANTS = [one for one in ENDPOINTS if "{tenant}" in one[1]]


def test_the_list_has_every_http_trigger():
    app = func.FunctionApp()
    for blueprint in EVERY_BLUEPRINT:
        app.register_functions(blueprint)
    triggers = [function.get_trigger() for function in app.get_functions()]
    served = {
        (method.name, trigger.route)
        for trigger in triggers
        if trigger.type == "httpTrigger"
        for method in trigger.methods
    }
    assert served == {(method, path) for method, path, _ in ENDPOINTS}


@pytest.mark.parametrize(("method", "path", "operation"), OF_TENANTS)
def test_an_endpoint_whose_path_names_a_tenant_records(method, path, operation):
    assert isinstance(operation.discloses, Disclosed | LogRead | RecordedByFlow)
    assert operation.roles is not None


@pytest.mark.parametrize(("method", "path", "operation"), OF_TENANTS)
def test_a_resource_names_only_what_the_path_names(method, path, operation):
    if isinstance(operation.discloses, Disclosed):
        names = {part[1:-1]: "x" for part in path.split("/") if part.startswith("{")}
        assert operation.discloses.resource.format(**names) or method != "GET"


def types_in(answer):
    """The structs that an answer is made of, with the structs of the fields."""
    if not (isinstance(answer, type) and issubclass(answer, Struct)):
        return set().union(*(types_in(one) for one in get_args(answer)))
    fields = (types_in(field.type) for field in msgspec.structs.fields(answer))
    return {answer.__name__}.union(*fields)


def test_an_endpoint_that_records_nothing_is_in_the_list_with_the_types_that_it_gives_away():
    found = {
        (method, path): set().union(*(types_in(one) for one in operation.replies.values()))
        for method, path, operation in ENDPOINTS
        if operation.discloses is NOTHING
    }
    assert found == {endpoint: types for endpoint, (types, _) in OF_NO_TENANT.items()}


def test_the_types_of_a_tenants_data_are_found_in_a_page():
    page = OPERATIONS["GET", "tenants"].replies[200]
    assert types_in(page) == {"TenantPage", "Tenant"}


async def test_an_answer_that_names_no_tenant_is_refused():
    with pytest.raises(LookupError, match="names no tenant"):
        await record_answer(None, Disclosed("a.viewed"), None, ANONYMOUS, {}, None)


def test_an_endpoint_that_does_not_say_is_refused_when_the_app_is_loaded():
    routes = HttpRoutes(func.Blueprint(), MessagesFlow)
    with pytest.raises(ValueError, match="must say how it records"):
        routes.endpoint("GET", "tenants/{tenant}/x", roles=None, discloses=None)
