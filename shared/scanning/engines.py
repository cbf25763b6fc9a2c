"""The engines that the stamp's policy demands: an upload is cleared by every engine, or by none."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import IO

from shared.assets.rules import EngineVerdict
from shared.ports import BlobInfo
from shared.scanning.scanner import Engine, Findings, Scan, Scanner


@dataclass(frozen=True, slots=True)
class Scanned:
    """The findings of one engine."""

    engine: Engine
    findings: Findings


class Engines:
    """The engines, in the order of the setting SCANNER. Build one a process."""

    def __init__(self, scanners: Sequence[Scanner]) -> None:
        self.scanners = tuple(scanners)

    @property
    def on_demand(self) -> "Engines":
        """The engines that scan a stored blob at any time, and not only an upload."""
        return Engines([scanner for scanner in self.scanners if scanner.scans_on_demand])

    async def present(self) -> Sequence[Engine]:
        """Return each engine that would scan at this moment. Raises UnavailableError."""
        return [await scanner.engine() for scanner in self.scanners]

    async def begin(self, upload: str, blob: BlobInfo) -> Sequence[Scan]:
        """Begin a scan with each engine; `upload` and `blob` are as of `Scanner.begin`.

        Raises UnavailableError when an engine does not answer, and ScanPendingError while the
        result of an engine is to come: no scan stays open then.
        """
        begun: list[Scan] = []
        try:
            for scanner in self.scanners:
                begun.append(await scanner.begin(upload, blob))  # noqa: PERF401 - closed after an error
        except BaseException:
            close(begun)
            raise
        return begun

    async def forget(self, upload: str) -> None:
        """Let each engine forget the result of an upload that was filed."""
        for scanner in self.scanners:
            await scanner.forget(upload)


def finish(scans: Sequence[Scan], file: IO[bytes] | None, sha256: str) -> Sequence[Scanned]:
    """Return the findings of each scan. Raises UnavailableError.

    `file` is as of `Scan.finish`; `sha256` is the hash of the fed bytes. An engine that scanned
    other bytes refuses.
    """
    results = []
    for scan in scans:
        if file is not None:
            file.seek(0)
        findings = scan.finish(file)
        if findings.sha256 not in (None, sha256):
            findings = replace(findings, refusal="scan-of-other-bytes")
        results.append(Scanned(scan.engine, findings))
    return results


def close(scans: Sequence[Scan]) -> None:
    """Release the resources of each scan."""
    for scan in scans:
        scan.close()


def verdicts_of(results: Sequence[Scanned], now: datetime) -> tuple[EngineVerdict, ...]:
    """Return what an asset's record keeps of each engine's findings."""
    return tuple(
        EngineVerdict(
            engine=one.engine.name,
            engine_version=one.engine.version,
            signature_version=one.engine.signatures,
            signatures_made_at=one.engine.signatures_made_at,
            scanned_at=now,
            matches=one.findings.matches,
            refusal=one.findings.refusal,
        )
        for one in results
    )


def refusal_of(results: Sequence[Scanned]) -> str | None:
    """Return the refusal of the first engine that refuses, or None."""
    return next((one.findings.refusal for one in results if one.findings.refusal), None)


def is_infected(results: Sequence[Scanned]) -> bool:
    """Tell whether an engine found a match."""
    return any(one.findings.matches for one in results)
