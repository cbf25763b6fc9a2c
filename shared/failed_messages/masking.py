"""Masking: the structure of a message without the personal data. Pure rules.

A value is shown only under a name that is listed here, in the form of an id, a time, a number or a
truth value. Any other value is replaced by its length: a sender may write a person's name anywhere.
"""

import json
import re
from collections.abc import Mapping
from typing import Final

from shared.ids import is_id
from shared.messages.contracts import CONTRACTS

_SHOWN: Final = frozenset(
    (
        *("specversion", "id", "type", "time", "datacontenttype", "correlationid", "sequence"),
        *("tenant", "grantId", "requestId", "rescanId", "assetId", "batch", "discovery", "first"),
        *("action", "outcome", "operations", "kind", "severity", "role", "isComplete"),
        *("lastModified", "expiresAt", "foundAt", "filedAt", "receivedAt", "etag"),
    )
)
"""The names whose values are no personal data."""

_ACTORS: Final = frozenset(("actor", "revokedBy", "grantedBy", "recipients"))
"""The names of structs about a person, whose `id` is the directory's."""

_ENVELOPE: Final = ("source", "subject", "data", "data_base64", "dataschema", "traceparent")
_NAMES: Final = frozenset(
    (
        *_SHOWN,
        *_ACTORS,
        *_ENVELOPE,
        *(name for contract in CONTRACTS.values() for name in contract.__struct_encode_fields__),
        *("organisation", "authenticationMethod"),
    )
)
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9:.]{5,18}([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_MEDIA_TYPE: Final = re.compile("(application|text)/[a-z+.-]{1,40}json")
_CONTENT_TYPE: Final = re.compile(
    "(application|text)/(cloudevents[+])?(json|octet-stream|plain|xml)"
    "(; ?charset=[A-Za-z0-9-]{1,16})?"
)
_QUOTED: Final = re.compile("`([^`]*)`")
_DEEPEST: Final = 20


def masked_body(body: bytes | None) -> object:
    """Return the JSON of a body with every value masked that may be personal data.

    None for a body that is no JSON.
    """
    try:
        read = json.loads(body or b"")
    except (ValueError, RecursionError):
        return None
    return _masked(read, shown=False, in_actor=False, depth=0)


def masked_properties(properties: Mapping[str, object]) -> dict[str, object]:
    """Return properties with the values masked that may be personal data, and their names, too."""
    return {_name(name): _mask(value) for name, value in properties.items()}


def masked_text(text: str) -> str:
    """Return a reason's detail with the names masked that the sender chose.

    A detail quotes names of fields, and no values.
    """
    return _QUOTED.sub(lambda found: f"`{_path(found[1])}`", text)


def masked_content_type(content_type: str | None) -> str | None:
    """Return a content type of a usual form, or the mask of any other text."""
    if content_type is None or _CONTENT_TYPE.fullmatch(content_type):
        return content_type
    return _mask(content_type)


def masked_id(identifier: str) -> str:
    """Return an id from a sender, or the mask of a text of any other form."""
    return identifier if is_id(identifier) else _mask(identifier)


def _masked(value: object, *, shown: bool, in_actor: bool, depth: int) -> object:
    if depth > _DEEPEST:
        return "masked: deeper"
    if isinstance(value, dict):
        return {
            _name(name): _masked(
                one,
                shown=name in _SHOWN and not (in_actor and name == "id"),
                in_actor=name in _ACTORS or in_actor,
                depth=depth + 1,
            )
            for name, one in value.items()
        }
    if isinstance(value, list):
        return [_masked(one, shown=shown, in_actor=in_actor, depth=depth + 1) for one in value]
    if value is None or isinstance(value, bool) or (shown and _is_plain(value)):
        return value
    return _mask(value)


def _is_plain(value: object) -> bool:
    if isinstance(value, int | float):
        return True
    return isinstance(value, str) and (
        is_id(value)
        or _TIME.fullmatch(value) is not None
        or _MEDIA_TYPE.fullmatch(value) is not None
    )


def _mask(value: object) -> str:
    length = len(value) if isinstance(value, str) else len(json.dumps(value, default=str))
    return f"masked: {length} characters"


def _name(name: str) -> str:
    return name if name in _NAMES else _mask(name)


def _path(path: str) -> str:
    """Mask the parts of a path such as `$.data.name` that no contract has."""
    return re.sub(r"[^.\[\]$]+", lambda part: part[0] if _is_known(part[0]) else "…", path)


def _is_known(part: str) -> bool:
    return part in _NAMES or part in ("...", "int", "str", "object", "array", "null", "bool")
