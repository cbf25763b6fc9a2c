"""Names in JSON objects: no object has a name twice.

Of a name that comes twice, some readers take the first value and others the last. A gateway and the
app could then read two different messages. Source: RFC 7493 (I-JSON), section 2.3.
"""

import json


def require_unique_names(text: bytes) -> None:
    """Raise ValueError where an object in JSON has a name twice.

    Raises RecursionError for JSON that is nested too deep.
    """
    # Numbers stay texts: an integer of thousands of digits costs nothing so.
    json.loads(text, object_pairs_hook=_require_unique, parse_int=str, parse_float=str)


def _require_unique(pairs: list[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("an object has a name twice")
