"""JSON bodies: the bases, the reading with its limit, and the body that several flows answer."""

from typing import Final

import azure.functions as func
import msgspec
from msgspec import Struct

from shared.errors import MalformedInputError, TooLargeError
from shared.json_names import require_unique_names

# A thousand requests for uploads, each with a path of the longest kind, fit twice.
_MAX_BODY: Final = 8 * 1024 * 1024


class RequestBody(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Base of every request body: camelCase names, unknown fields refused."""


class View(Struct, frozen=True, rename="camel", kw_only=True):
    """Base of the bodies of answers: camelCase names."""


class Link(View, frozen=True):
    """The place of an asset's bytes for some minutes."""

    location: str


def read_body[T](body: bytes, kind: type[T]) -> T:
    """Read the JSON body of a request as `kind`.

    Raises MalformedInputError that names the wrong field, and TooLargeError.
    """
    if not body:
        raise MalformedInputError("body-missing", "The request has no body.", "Send a JSON object.")
    if len(body) > _MAX_BODY:
        raise TooLargeError(
            "body-too-large",
            f"A JSON body is at most {_MAX_BODY:,} bytes.",
            "Send less at once.",
        )
    return read_json(body, kind)


def read_json[T](text: bytes, kind: type[T]) -> T:
    """Read JSON as `kind`. Raises MalformedInputError that names the wrong field."""
    try:
        read = msgspec.json.decode(text, type=kind)
        require_unique_names(text)
    except (ValueError, RecursionError) as error:
        raise MalformedInputError(
            "body-invalid", f"The body cannot be read: {error}.", "Mend it and send it again."
        ) from error
    return read


def require_no_body(request: func.HttpRequest) -> None:
    """Refuse a body that an endpoint would ignore. Raises MalformedInputError.

    An empty object says nothing, and some clients cannot leave a body out.
    """
    if request.method not in ("GET", "HEAD", "DELETE") and request.get_body().strip() not in (
        b"",
        b"{}",
    ):
        raise MalformedInputError(
            "body-not-expected",
            "The request has a body, and takes none.",
            "Send the request without a body.",
        )
