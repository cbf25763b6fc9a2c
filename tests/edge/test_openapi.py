"""The OpenAPI document: valid, whole, and what the app gives of itself."""

import json

import httpx
import pytest
from openapi_spec_validator import validate

from functions.documents import EVERY_BLUEPRINT, openapi
from functions.edge.openapi import document
from tests.contracts import hold_to_contract

OPERATIONS = [
    (path, method, operation)
    for path, operations in document()["paths"].items()
    for method, operation in operations.items()
]


def answered(method: str, path: str, status: int, body: object) -> httpx.Response:
    """A response of the app."""
    request = httpx.Request(method, f"http://app/api{path}")
    return httpx.Response(status, json=body, request=request)


def test_the_document_is_valid():
    assert len(OPERATIONS) > len(EVERY_BLUEPRINT)
    validate(json.loads(openapi()))


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_every_operation_says_what_it_answers(path, method, operation):
    assert any(int(status) < 400 for status in operation["responses"] if status != "default")
    assert operation["summary"]
    named = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
    assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}


def test_operations_have_names_of_their_own():
    names = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(set(names)) == len(names)


async def test_the_app_serves_the_document(http):
    answer = await http.get("/api/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.content == openapi()


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (200, {"status": "fine"}, "fine"),
        (200, {}, "status"),
        (202, {"status": "ok"}, "not foreseen"),
        (500, {"title": "no type"}, "application/json"),
    ],
)
def test_an_answer_that_is_not_foreseen_is_found(status, body, fault):
    with pytest.raises(AssertionError, match=fault):
        hold_to_contract(answered("GET", "/health", status, body))


def test_an_answer_that_is_foreseen_passes():
    hold_to_contract(answered("GET", "/health", 200, {"status": "ok"}))


def test_a_body_that_is_not_foreseen_is_found():
    request = httpx.Request("GET", "http://app/api/health", content=b"a body")
    answer = httpx.Response(200, json={"status": "ok"}, request=request)
    with pytest.raises(AssertionError, match="to a body that is not foreseen"):
        hold_to_contract(answer)
