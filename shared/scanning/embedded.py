"""The embedded engine: yara-x with the bundled signatures, in this process."""

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from shared.ports import BlobInfo
from shared.scanning.scanner import Engine, Scan

if TYPE_CHECKING:
    from shared.scanning.yara import Signatures


class EmbeddedScanner:
    """Scan with the bundled signatures, which are compiled for the first upload."""

    name: ClassVar = "yara-x"
    scans_on_demand: ClassVar = True

    async def engine(self) -> Engine:
        """Return the engine and its signatures. Never unavailable."""
        return (await self._compiled()).engine

    async def begin(self, upload: str, blob: BlobInfo) -> Scan:  # noqa: ARG002 - as the port has it
        """Begin a scan."""
        return (await self._compiled()).begin()

    async def forget(self, upload: str) -> None:
        """Do nothing: the engine keeps no result."""

    async def _compiled(self) -> "Signatures":
        return await asyncio.to_thread(lambda: self._signatures)

    @cached_property
    def _signatures(self) -> "Signatures":
        from shared.scanning.yara import Signatures

        return Signatures()
