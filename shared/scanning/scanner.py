"""The port to the scanner; the engines behind the port are adapters.

An upload is cleared only after an engine's report of a scan without findings. An engine that does
not answer raises `UnavailableError`, and the message is delivered again. Content that no engine can
scan is a refusal, and goes to quarantine.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import IO, ClassVar, Final, Protocol

from shared.ports import BlobInfo


@dataclass(frozen=True, slots=True)
class Engine:
    """The engine of a scan. A field is None where the engine does not tell."""

    name: str
    version: str | None
    signatures: str | None
    """Version of the signatures."""
    signatures_made_at: datetime | None
    """Time of the newest signature."""
    self_updating: bool = False
    """True where the maker updates the signatures, so that their age needs no watch here."""


MAX_NOT_EXAMINED: Final = 20
"""Number of parts that are noted as not examined; a further part is noted without its place."""


@dataclass(frozen=True, slots=True)
class NotExamined:
    """A part of a file that the engine cannot look into, but that is no reason for a refusal.

    `what` is a short code for the kind of the part, for example "encrypted-attachment". `where`
    tells the place of the part by numbers, for example "object 12" or "byte 1048576": never by a
    name, which may be a person's.
    """

    what: str
    where: str


@dataclass(frozen=True, slots=True)
class Findings:
    """The findings of a scan: clean when `matches` and `refusal` are empty.

    `matches` are the names of the matching signatures, sorted. `refusal` is the reason against
    clearing an upload without a matching signature, for example "archive-encrypted". `sha256` is
    the hash of the scanned bytes by the engine's account, in hexadecimal; None when the engine was
    fed the bytes. `not_examined` are the parts of a clean upload that the engine did not look into.
    """

    matches: tuple[str, ...] = ()
    refusal: str | None = None
    sha256: str | None = None
    not_examined: tuple[NotExamined, ...] = ()


class Scan(Protocol):
    """The scan of one upload, fed in order, by one thread at a time. Blocks: keep it off the loop.

    Holds a few chunks at most, for an upload of any size.
    """

    @property
    def engine(self) -> Engine:
        """Engine of the scan."""

    def feed(self, chunk: bytes) -> None:
        """Scan the next bytes; chunks may be of any size. Raises UnavailableError."""

    def finish(self, file: IO[bytes] | None) -> Findings:
        """Return the findings. Raises UnavailableError.

        `file` is a seekable file of the bytes fed, or None where the bytes are too many to keep.
        """

    def close(self) -> None:
        """Release the resources of the scan, finished or not."""


class ScanPendingError(Exception):
    """The engine scans on its own, and the result is still to come."""


class Scanner(Protocol):
    """An engine. Build one a process."""

    name: ClassVar[str]
    """The name of the engine, as in the setting SCANNER."""
    scans_on_demand: ClassVar[bool]
    """True where `begin` scans any blob; False where the engine scans uploads on its own."""

    async def engine(self) -> Engine:
        """Return the engine that would scan at this moment. Raises UnavailableError."""

    async def begin(self, upload: str, blob: BlobInfo) -> Scan:
        """Begin the scan of `blob`, which is the upload with the id `upload`.

        Raises UnavailableError, and ScanPendingError for an upload whose result is to come.
        """

    async def forget(self, upload: str) -> None:
        """Forget the result of an upload that was filed."""


class RefusedArchiveError(Exception):
    """An archive that cannot be unpacked in full, and so cannot be cleared.

    `reason` is "archive-broken", "archive-encrypted", "archive-too-deep", "archive-too-large" or
    "archive-unsupported".
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
