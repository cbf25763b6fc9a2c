"""The bases of the JSON bodies, and the bodies that several flows answer."""

from msgspec import Struct


class RequestBody(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Base of every request body: camelCase names, unknown fields refused."""


class View(Struct, frozen=True, rename="camel", kw_only=True):
    """Base of the bodies that are made for an answer alone: camelCase names."""


class Link(View, frozen=True):
    """Where an asset's bytes can be read for some minutes."""

    location: str
