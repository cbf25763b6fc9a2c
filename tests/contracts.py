"""Holding what the app answers to the OpenAPI document that it gives of itself."""

import re
from functools import cache
from typing import Any, cast

import httpx
import msgspec
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from functions.documents import openapi

DOCUMENT = "urn:document"


@cache
def _document() -> dict[str, Any]:
    document: dict[str, Any] = msgspec.json.decode(openapi())
    return document


@cache
def _registry() -> Registry[Any]:
    resource: Resource[Any] = DRAFT202012.create_resource(_document())
    return cast("Registry[Any]", Registry().with_resource(DOCUMENT, resource))


@cache
def _templates() -> list[tuple[re.Pattern[str], str]]:
    """Each path of the document as a pattern; those without parameters first."""
    paths = sorted(_document()["paths"], key=lambda path: path.count("{"))
    return [
        (re.compile("/api" + re.sub(r"\\\{[^/]*\\\}", "[^/]+", re.escape(path))), path)
        for path in paths
    ]


async def check_contract(response: httpx.Response) -> None:
    """An httpx hook that holds every response to the document."""
    await response.aread()
    hold_to_contract(response)


def hold_to_contract(response: httpx.Response) -> None:
    """Raise AssertionError for a response that the document does not foresee.

    `response` has been read. Passes over what is no request of the app's API.
    """
    method, path = response.request.method.lower(), response.request.url.path
    template = next((path_ for pattern, path_ in _templates() if pattern.fullmatch(path)), None)
    operation = _document()["paths"].get(template, {}).get(method)
    if operation is None:
        return
    where = f"{method} {template} answered {response.status_code}"
    foreseen = "requestBody" in operation or response.status_code >= 400
    assert foreseen or not response.request.content, f"{where} to a body that is not foreseen"
    answers = operation["responses"]
    status = str(response.status_code)
    assert status in answers or response.status_code >= 400, f"{where}, which is not foreseen"
    answer = answers.get(status, answers["default"])
    if "$ref" in answer:
        answer = _document()["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    content = answer.get("content", {})
    media_type = response.headers.get("Content-Type", "").partition(";")[0]
    if not content:
        assert not response.content, f"{where} with a body"
        return
    assert media_type in content or "*/*" in content, f"{where} with {media_type}"
    schema = content.get(media_type, {}).get("schema")
    if schema is not None:
        _validate(schema, response.content, where)


def _validate(schema: dict[str, Any], body: bytes, where: str) -> None:
    absolute = {"$ref": DOCUMENT + schema["$ref"]} if "$ref" in schema else schema
    validator = Draft202012Validator(
        absolute, registry=_registry(), format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    faults = [
        f"{fault.json_path}: {fault.message}"
        for fault in validator.iter_errors(msgspec.json.decode(body))
    ]
    assert not faults, f"{where}: {faults}"
