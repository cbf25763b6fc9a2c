"""The addresses that a webhook may connect to: those of the public internet alone.

A name is resolved once for a connection, and the connection goes to an address that was checked: no
second answer of a name server can lead elsewhere (DNS rebinding).
"""

import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from shared.notices.contact_rules import is_public


class InsideError(OSError):
    """A host has an address that is not public."""


class PublicResolver(AbstractResolver):
    """Resolves the names of hosts whose every address is public."""

    def __init__(self, resolver: AbstractResolver | None = None) -> None:
        self._resolver = resolver or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a host. Raises InsideError where one is not public."""
        found = await self._resolver.resolve(host, port, family)
        if not all(is_public(one["host"]) for one in found):
            raise InsideError("an address is not public")
        return found

    async def close(self) -> None:
        """Close the resolver beneath."""
        await self._resolver.close()
