"""The base of every contract, and the types that contracts share."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from shared.catalogue import Store
from shared.ids import ID_PATTERN
from shared.plain_text import PLAIN_PATTERN

# The limits are those of the keys, headers and columns that the fields become, so that a message
# within its contract can always be kept: a key has 512 characters, a column 32,768.
type Text = Annotated[str, Meta(min_length=1, max_length=512, pattern=PLAIN_PATTERN)]
type MaybeText = Annotated[str, Meta(max_length=512, pattern=PLAIN_PATTERN)] | None
type Resource = Annotated[str, Meta(max_length=1100, pattern=PLAIN_PATTERN)]
type Identifier = Annotated[str, Meta(min_length=1, max_length=128, pattern=ID_PATTERN)]
type TenantId = Annotated[str, Meta(min_length=1, max_length=64, pattern=ID_PATTERN)]
type AwareTime = Annotated[datetime, Meta(tz=True)]
# An ETag goes into a header as it came.
type ETag = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[!-~]+$(?!\n)")]


class Contract(Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """Base of every contract: camelCase names, no unknown fields."""


class Actor(Contract, frozen=True, omit_defaults=True):
    """The actor of an event. `id` is the directory's object id, never a name.

    `authentication_method` is the proof of identity, in the directory's words.
    """

    id: Identifier
    role: Text
    organisation: Text
    authentication_method: MaybeText = None


@dataclass(frozen=True, slots=True)
class MessageType:
    """A message type: the name with its version, the contract of the data, and the queue."""

    name: str
    contract: type[Contract]
    queue: Store
