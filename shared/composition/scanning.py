"""Scanning: the engines, the results from outside, and the watch over the engines."""

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from shared.composition.core import Flow
from shared.composition.incidents import IncidentsFlow
from shared.composition.messages import MessagesFlow

if TYPE_CHECKING:
    from shared.scanning.defender import ScanResults
    from shared.scanning.engines import Engines
    from shared.scanning.scanner import Scanner
    from shared.scanning.scanner_watch import ScannerWatch


class ScanningFlow(Flow):
    """The services of scanning."""

    @cached_property
    def engines(self) -> "Engines":
        """The engines that the setting SCANNER names."""
        from shared.scanning.engines import Engines

        return Engines([self._scanner(name) for name in self._settings.scanners])

    def _scanner(self, name: str) -> "Scanner":
        if name == "clamd":
            from shared.scanning.clamd import ClamdScanner

            max_stream = self._settings.CLAMD_MAX_STREAM_MIB * 1024 * 1024
            return ClamdScanner(self._settings.CLAMD_ADDRESS, max_stream)
        if name == "defender":
            from shared.scanning.defender import DefenderScanner

            return DefenderScanner(self._adapters.tables, self.clock)
        from shared.scanning.embedded import EmbeddedScanner

        return EmbeddedScanner()

    @cached_property
    def scan_results(self) -> "ScanResults":
        """The results of Defender."""
        from shared.scanning.defender import ScanResults

        chosen = "defender" in self._settings.scanners
        wait = timedelta(minutes=self._settings.SCAN_RESULT_MINUTES) if chosen else None
        return ScanResults(
            self._adapters.tables,
            self._adapters.blobs,
            self._flow(MessagesFlow).outbox,
            self._flow(IncidentsFlow).incidents,
            self.clock,
            wait,
        )

    @cached_property
    def scanner_watch(self) -> "ScannerWatch":
        """The watch over the engines."""
        from shared.scanning.scanner_watch import ScannerWatch

        max_age = timedelta(days=self._settings.SIGNATURE_MAX_AGE_DAYS)
        incidents = self._flow(IncidentsFlow).incidents
        return ScannerWatch(self.engines, incidents, self.clock, max_age)
