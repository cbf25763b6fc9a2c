"""The description of each endpoint, for the OpenAPI document."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final

from msgspec import Meta, Struct
from msgspec.structs import fields

from functions.edge.disclosures import Disclosure


@dataclass(frozen=True, slots=True)
class Raw:
    """An answer in a foreign format: bytes of one of `media_types`."""

    media_types: tuple[str, ...] = ("*/*",)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the query: its name, its meaning, and the type of its value."""

    name: str
    description: str
    kind: object = str


type Answer = type | Raw | tuple[type, Raw] | None
"""The body of a status: JSON of a type, something else, either of the two, or no body."""

type Body = type | Raw | tuple[type, type] | None
"""The body of a request: JSON of a type or of either of two types, something else, or no body."""

PAGING: Final = (
    Parameter(
        "limit",
        "How many at most; 100 where it is left out.",
        Annotated[int, Meta(ge=1, le=1000)],
    ),
    Parameter("continuation", "The `continuation` of the page before, to read on."),
)
"""The parameters of every list."""


def parameters_of(kind: type[Struct], /, **descriptions: str) -> tuple[Parameter, ...]:
    """Return the parameters that a struct of a query has, with a description for each."""
    return tuple(
        Parameter(field.encode_name, descriptions[field.name], field.type) for field in fields(kind)
    )


@dataclass(frozen=True, slots=True)
class HttpOperation:
    """One endpoint, by the `name` and the docstring (`doc`) of its handler.

    `roles` None is for everybody; `body` is JSON of a type, or something else; `replies` are by
    status, None for no body. `idempotent` endpoints take an Idempotency-Key, `conditional`
    endpoints need If-Match.
    """

    name: str
    doc: str
    roles: Collection[str] | None
    discloses: Disclosure | None
    body: Body = None
    replies: Mapping[int, Answer] = field(default_factory=dict)
    query: tuple[Parameter, ...] = ()
    idempotent: bool = False
    conditional: bool = False


OPERATIONS: Final[dict[tuple[str, str], HttpOperation]] = {}
"""The operation of each endpoint, by its method and its path."""
