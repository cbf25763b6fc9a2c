"""The bases of the JSON bodies, and the bodies that several flows answer."""

from msgspec import Struct


class RequestBody(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Base of every request body: camelCase names, unknown fields refused."""


class View(Struct, frozen=True, rename="camel", kw_only=True):
    """Base of the bodies of answers: camelCase names."""


class Link(View, frozen=True):
    """The place of an asset's bytes for some minutes."""

    location: str
