"""The form of every parameter, before an endpoint reads any: of the path and of the query."""

from collections.abc import Mapping
from typing import Final

from shared.errors import InvalidInputError, NotFoundError
from shared.ids import is_id
from shared.plain_text import is_plain

# Parameters of the path that are no ids: the registry of tenants and the log's tiles know theirs.
_OTHER_FORM: Final = frozenset({"tenant", "path"})
# The longest continuation token has two keys of 2,048 characters, in base64.
_LONGEST_VALUE: Final = 8192


def check_parameters(path: Mapping[str, str], query: Mapping[str, str]) -> None:
    """Check every parameter of a request.

    What stands in the path for an id becomes a key of storage, so that nothing else goes there.
    Raises NotFoundError for a path with anything but ids, and InvalidInputError for a query that is
    too long, or is no plain text.
    """
    if not all(is_id(value) for name, value in path.items() if name not in _OTHER_FORM):
        raise NotFoundError(
            "resource-not-found",
            "There is nothing under this path: a part of it is no id.",
            "Write the ids as the API gives them.",
        )
    for value in query.values():
        if len(value) > _LONGEST_VALUE or not is_plain(value):
            raise InvalidInputError(
                "query-invalid",
                "A parameter of the query is too long, or has characters that are no plain text.",
                "Mend it, or leave it out.",
            )
