"""What the storage of the log asks about the content of entries, which it does not know itself."""

import json
from collections.abc import Callable

from shared.merkle import leaf_hash

# The source and id of the event that a payload is about; None for a redacted one, which cannot say.
type Identify = Callable[[bytes], tuple[str, str] | None]
# Whether two payloads of one event have the same content.
type Same = Callable[[bytes, bytes], bool]
# The leaf hash of the entry of a tenant at an index: for a redacted one, what its note states.
# Raises MerkleError for a note that is not validly signed.
type Leaf = Callable[[str, int, bytes], bytes]


def identify_json(payload: bytes) -> tuple[str, str] | None:
    """The `source` and `id` of an entry that is a JSON object; None for what is none.

    What cannot be read, as somebody changed it, is about no event: two empty strings.
    """
    if not payload.startswith(b"{"):
        return None
    try:
        fields = json.loads(payload)
        identity = str(fields.get("source", "")), str(fields.get("id", ""))
        # A text may be escaped that is no Unicode.
        "".join(identity).encode()
    except (ValueError, RecursionError):
        return "", ""
    return identity


def plain_leaf(_tenant: str, _index: int, entry: bytes) -> bytes:
    """The leaf hash where no entry is redacted."""
    return leaf_hash(entry)
