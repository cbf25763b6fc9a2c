"""The port through which intake has an upload scanned; the engines behind it are adapters.

Whatever the engine, an upload is cleared only on its word that it was scanned and nothing was
found. An engine that does not answer raises `UnavailableError`, so that the message is delivered
again; what no engine could ever scan is a refusal, and goes to quarantine.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import IO, Protocol

from shared.ports import BlobInfo


@dataclass(frozen=True, slots=True)
class Engine:
    """What scans. A field is None where the engine does not tell."""

    name: str
    version: str | None
    signatures: str | None
    """The version of its signatures."""
    signatures_made_at: datetime | None
    """When the newest of its signatures were made."""
    self_updating: bool = False
    """Whether its maker keeps it current, so that nobody here need watch the signatures' age."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What a scan came to: clean when `matches` and `refusal` are empty.

    `matches` are the names of the signatures that matched, sorted. `refusal` says why the upload
    cannot be cleared although nothing matched, for example "archive-encrypted". `sha256` is what
    the engine says that it scanned, in hexadecimal; None when it was fed the bytes.
    """

    matches: tuple[str, ...] = ()
    refusal: str | None = None
    sha256: str | None = None


class Scan(Protocol):
    """The scan of one upload, fed in order. Not for two threads at once; blocks, so not for a loop.

    Holds a few chunks at most, whatever the upload's size.
    """

    @property
    def engine(self) -> Engine:
        """What scans."""

    def feed(self, chunk: bytes) -> None:
        """Scan the next bytes; chunks may be of any size. Raises UnavailableError."""

    def finish(self, file: IO[bytes] | None) -> Findings:
        """Say what was found. Raises UnavailableError.

        `file` is a seekable file of the bytes fed, or None where they are too many to keep.
        """

    def close(self) -> None:
        """Give back what the scan holds, finished or not."""


class ScanPendingError(Exception):
    """The engine scans on its own and has not said yet what it found."""


class Scanner(Protocol):
    """An engine. Build one a process."""

    async def engine(self) -> Engine:
        """What would scan now. Raises UnavailableError."""

    async def begin(self, upload: str, blob: BlobInfo) -> Scan:
        """Begin the scan of `blob`, which is the upload with the id `upload`.

        Raises UnavailableError, and ScanPendingError for an upload whose result is to come.
        """

    async def forget(self, upload: str) -> None:
        """Forget what was kept of an upload that has been filed."""


class RefusedArchiveError(Exception):
    """An archive that cannot be looked into wholly, and so cannot be cleared.

    `reason` is "archive-broken", "archive-encrypted", "archive-too-deep", "archive-too-large" or
    "archive-unsupported".
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
