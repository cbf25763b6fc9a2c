"""Requests: the API version, names, bodies, and the page of a listing.

The Key Vault REST API reference (learn.microsoft.com/rest/api/keyvault/secrets) has the required
parts; "About Azure Key Vault secrets" has the limits. A property beyond the contract is refused by
name, not ignored.
"""

import base64
import json
import re
from collections.abc import Collection
from dataclasses import dataclass

from starlette.requests import Request

from infra.local.keyvault.errors import bad_parameter

# The versions of the SDK's enumeration; the stand-in leaves out the service's previews.
API_VERSIONS = (
    *("2016-10-01", "7.0", "7.1", "7.2", "7.3", "7.4", "7.5", "7.6"),
    *("2025-07-01", "2026-04-01"),
)
SECRET_NAME = re.compile(r"[0-9a-zA-Z-]{1,127}")
VALUE_BYTES = 25 * 1024
CONTENT_TYPE_CHARACTERS = 255
TAGS = 15
TAG_CHARACTERS = 512
PAGE_SIZE = 25

READ_ONLY_ATTRIBUTES = ("created", "updated", "recoveryLevel", "recoverableDays")


@dataclass(frozen=True)
class SecretProperties:
    """The properties of a secret in a request, besides the value; None for an absent property."""

    content_type: str | None
    tags: dict[str, str] | None
    attributes: dict[str, int]


def check_api_version(request: Request) -> None:
    """Raise VaultError unless the request names a supported version of the API.

    The API has no default version ("Authentication, requests and responses", supported API
    versions).
    """
    version = request.query_params.get("api-version")
    if not version:
        raise bad_parameter("api-version must be specified")
    if version not in API_VERSIONS:
        latest = API_VERSIONS[-1]
        raise bad_parameter(
            f"The specified version ({version}) is not recognized. Consider using the latest"
            f" supported version ({latest})."
        )


def check_output(request: Request) -> None:
    """Raise VaultError for `outContentType`, with which a client asks for a certificate's form."""
    if "outContentType" in request.query_params:
        raise bad_parameter("outContentType converts certificates, which no secret here backs.")


def new_name(request: Request) -> str:
    """Return the name of a new secret from the path; raises VaultError."""
    name: str = request.path_params["name"]
    if not SECRET_NAME.fullmatch(name):
        raise bad_parameter(f"The request URI contains an invalid name: {name}")
    return name


async def body(request: Request, known: Collection[str]) -> dict[str, object]:
    """Return the request's JSON object without nulls; raises VaultError for unknown properties."""
    try:
        value = json.loads(await request.body())
        # JSON can escape half a surrogate pair (RFC 8259, 8.2), but no response in UTF-8 can carry
        # the half.
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise bad_parameter("The request body is not JSON.") from None
    return _object(value, "The request body", known)


def text(given: dict[str, object], name: str) -> str:
    """Return a required property that is text; raises VaultError."""
    value = given.get(name)
    if not isinstance(value, str):
        raise bad_parameter(f"Property {name} is missing or not a string.")
    return value


def binary(given: dict[str, object], name: str) -> bytes:
    """Return a required property that is base64url without padding; raises VaultError."""
    value = text(given, name).rstrip("=")
    try:
        return base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise bad_parameter(f"Property {name} is not base64url.") from None


def secret_value(given: dict[str, object]) -> str:
    """Return the value to store; raises VaultError for a missing or too large value."""
    value = text(given, "value")
    if len(value.encode()) > VALUE_BYTES:
        raise bad_parameter(f"Property value is longer than {VALUE_BYTES} bytes.")
    return value


def properties(given: dict[str, object]) -> SecretProperties:
    """Return `contentType`, `tags` and `attributes` of a request's body; raises VaultError."""
    content_type = None
    if "contentType" in given:
        content_type = text(given, "contentType")
        if len(content_type) > CONTENT_TYPE_CHARACTERS:
            message = f"Property contentType is longer than {CONTENT_TYPE_CHARACTERS} characters."
            raise bad_parameter(message)
    return SecretProperties(content_type, _tags(given), _attributes(given))


def page(request: Request) -> tuple[int, str]:
    """Return the size of the page, and the marker before the page; raises VaultError."""
    size = request.query_params.get("maxresults", str(PAGE_SIZE))
    if not (re.fullmatch("[0-9]{1,9}", size) and 1 <= int(size) <= PAGE_SIZE):
        raise bad_parameter(f"Invalid maxresults: it must be between 1 and {PAGE_SIZE}.")
    token = request.query_params.get("$skiptoken", "")
    try:
        marker = base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except ValueError:
        raise bad_parameter("Invalid $skiptoken.") from None
    return int(size), marker


def skip_token(marker: str) -> str:
    """Return the `$skiptoken` of the page after the item with this marker."""
    return base64.urlsafe_b64encode(marker.encode()).decode()


def _tags(given: dict[str, object]) -> dict[str, str] | None:
    if "tags" not in given:
        return None
    tags = given["tags"]
    if not isinstance(tags, dict) or not all(isinstance(value, str) for value in tags.values()):
        raise bad_parameter("Property tags is not an object of strings.")
    if len(tags) > TAGS:
        raise bad_parameter(f"Property tags has more than {TAGS} tags.")
    if any(len(part) > TAG_CHARACTERS for item in tags.items() for part in item):
        raise bad_parameter(f"A tag's name or value is longer than {TAG_CHARACTERS} characters.")
    return tags


def _attributes(given: dict[str, object]) -> dict[str, int]:
    """Return the writable attributes; the vault itself sets the read-only attributes."""
    types = {"enabled": bool, "nbf": int, "exp": int}
    attributes = _object(
        given.get("attributes", {}), "Property attributes", (*types, *READ_ONLY_ATTRIBUTES)
    )
    writable: dict[str, int] = {}
    for name, value in attributes.items():
        if name not in types:
            continue
        # type(), because isinstance() takes true for an int.
        if not isinstance(value, int) or type(value) is not types[name]:
            raise bad_parameter(f"Property attributes.{name} has an invalid value.")
        writable[name] = value
    return writable


def _object(value: object, what: str, known: Collection[str]) -> dict[str, object]:
    if not isinstance(value, dict):
        raise bad_parameter(f"{what} is not an object.")
    unknown = sorted(value.keys() - set(known))
    if unknown:
        raise bad_parameter(f"{what} has unrecognized properties: {', '.join(unknown)}.")
    return {name: found for name, found in value.items() if found is not None}
