"""Every endpoint that reads a tenant's data says how the answer is recorded."""

import azure.functions as func
import pytest

from functions.documents import EVERY_BLUEPRINT
from functions.edge.disclosures import Disclosed, LogRead, RecordedByFlow
from functions.edge.http import HttpRoutes
from functions.edge.operations import OPERATIONS
from shared.composition.messages import MessagesFlow

ENDPOINTS = [(method, path, operation) for (method, path), operation in OPERATIONS.items()]
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


def test_an_endpoint_that_does_not_say_is_refused_when_the_app_is_loaded():
    routes = HttpRoutes(func.Blueprint(), MessagesFlow)
    with pytest.raises(ValueError, match="must say how it records"):
        routes.endpoint("GET", "tenants/{tenant}/x", roles=None, discloses=None)
