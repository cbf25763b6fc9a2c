"""What the flows need of the outside world, as plain data and protocols.

`shared.azure` implements them on Azure; `shared.composition` hands them to the flows.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

type Clock = Callable[[], datetime]
type Value = str | int | float | bool | bytes


@dataclass(frozen=True, slots=True)
class Row:
    """One entity of a table. `etag` is what the service gave on reading, None for a new one."""

    partition: str
    row: str
    values: Mapping[str, Value]
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Insert:
    """Create `row`; the transaction fails if it exists."""

    row: Row


@dataclass(frozen=True, slots=True)
class Replace:
    """Replace `row`; the transaction fails unless its ETag is still `row.etag`."""

    row: Row


@dataclass(frozen=True, slots=True)
class Upsert:
    """Create or replace `row`, whatever was there."""

    row: Row


@dataclass(frozen=True, slots=True)
class Merge:
    """Create `row`, or set its columns in the one that is there, which keeps its others."""

    row: Row


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete one entity; with an `etag`, only if it is unchanged."""

    partition: str
    row: str
    etag: str | None = None


type Operation = Insert | Replace | Upsert | Merge | Delete


@dataclass(frozen=True, slots=True)
class Condition:
    """What a column must be: one of OData's comparisons ("eq", "ge", "lt", ...) with a value."""

    column: str
    comparison: Literal["eq", "ne", "gt", "ge", "lt", "le"]
    value: Value


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, and what to pass to read on (None at the end)."""

    rows: Sequence[Row]
    continuation: str | None


class Tables(Protocol):
    """Azure Table Storage."""

    async def get(self, table: str, partition: str, row: str) -> Row | None:
        """One entity, or None."""

    async def commit(self, table: str, operations: Sequence[Operation]) -> Sequence[str | None]:
        """Run `operations` on one partition as one entity-group transaction, at most 100.

        Returns the ETag that each row has now, None for a deleted one. Raises RowConflictError
        when a precondition of any of them does not hold.
        """

    async def delete(self, table: str, partition: str, row: str) -> None:
        """Delete one entity; one that is not there is no error."""

    async def page(
        self,
        table: str,
        partition: str,
        *,
        prefix: str = "",
        size: int = 100,
        continuation: str | None = None,
        between: tuple[str, str] | None = None,
        where: Sequence[Condition] = (),
    ) -> Page:
        """One page of a partition in RowKey order, of the rows that begin with `prefix`.

        With `between`, of the rows from the first RowKey up to, not including, the second. Only
        rows that meet every condition of `where` are returned; as the service ends a page when it
        has looked long enough, one with conditions may come back short, or empty, and yet have a
        continuation. Raises MalformedInputError for a continuation token that is not one of ours.
        """

    def scan(self, table: str, partition: str, *, prefix: str = "") -> AsyncIterator[Row]:
        """Every row of a partition whose RowKey begins with `prefix`, in order."""

    def between(
        self, table: str, partition: str, first: str, last: str, *, size: int = 1000
    ) -> AsyncIterator[Row]:
        """The rows of a partition with keys from `first` to `last`, both included, in order.

        `size` is how many are asked for at once.
        """


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """What a HEAD request tells of a blob. `size` is in bytes."""

    container: str
    name: str
    etag: str
    size: int
    last_modified: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)


class Blobs(Protocol):
    """Azure Blob Storage."""

    async def ensure_container(self, container: str) -> None:
        """Create `container` if it is not there."""

    async def head(self, container: str, name: str) -> BlobInfo | None:
        """What is known of a blob, or None."""

    def read(self, blob: BlobInfo) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The bytes of exactly that version, in chunks of at most 4 MiB.

        Raises BlobChangedError when the blob is no longer that version, and BlobArchivedError.
        """

    async def write(self, container: str, name: str, data: bytes, content_type: str) -> bool:
        """Create a blob; one that exists is left as it is. Returns whether it was created."""

    async def write_stream(
        self, container: str, name: str, chunks: AsyncIterator[bytes], content_type: str
    ) -> None:
        """Create or replace a blob of any size, which is there once all of it is written."""

    async def copy(
        self,
        source: BlobInfo,
        container: str,
        name: str,
        metadata: Mapping[str, str],
        tags: Mapping[str, str] | None = None,
    ) -> bool:
        """Copy that version inside the service, with `metadata`, to a name that is free.

        `tags` become blob index tags, where the account has such. Returns False when the name is
        taken by a blob with other metadata; one with the same is an earlier attempt at this copy.
        Raises BlobChangedError when `source` has changed, and BlobArchivedError.
        """

    async def delete(self, container: str, name: str, etag: str | None = None) -> None:
        """Delete a blob with its snapshots; one that is gone is no error, and a lease no hindrance.

        With an `etag`, only that version: another one is left alone.
        """

    async def rehydrate(self, container: str, name: str) -> None:
        """Have a blob brought back from the archive tier, which may take hours.

        Its ETag stays. One that is on its way, or gone, is no error.
        """

    def locate(self, url: str) -> tuple[str | None, Sequence[str]]:
        """The container and the name in it that a blob's URL of this account stands for.

        There are two names where percent signs may be meant or may encode something. The container
        is None for a URL that is not of this account.
        """

    def scan(
        self, container: str, prefix: str = "", *, size: int | None = None
    ) -> AsyncIterator[BlobInfo]:
        """Every blob of a container whose name begins so, in their order, without metadata.

        `size` is how many are asked for at once; as many as the service gives if left out.
        """

    def upload_url(self, container: str, name: str, expires: datetime, *, blocks: bool) -> str:
        """A URL with which one new blob can be created until `expires`.

        With `blocks` it can be sent in blocks too, which Azure allows nobody who may not also
        write to a blob that is there.
        """

    def read_url(self, container: str, name: str, expires: datetime, filename: str) -> str:
        """A URL with which one blob can be read until `expires`, offered as `filename`."""

    async def ping(self) -> None:
        """Raise UnavailableError unless the account answers."""


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message for a queue. `id` is the dedupe key, `session` set on session queues."""

    queue: str
    id: str
    body: bytes
    session: str | None = None
    content_type: str = "application/cloudevents+json"
    properties: Mapping[str, Value] = field(default_factory=dict)


class Sender(Protocol):
    """What takes messages: the bus, or what stands before it."""

    async def send(self, messages: Sequence[OutgoingMessage]) -> None:
        """Send all; when it returns, they are accepted. Raises UnavailableError as a bus does."""


@dataclass(frozen=True, slots=True)
class Queued:
    """A message on a queue, and the sequence number that the queue gave it."""

    number: int
    body: bytes


class Bus(Protocol):
    """Azure Service Bus."""

    async def send(self, messages: Sequence[OutgoingMessage]) -> None:
        """Send all; when it returns, the service has accepted them.

        Raises UnavailableError when it could not; some may then have been accepted.
        """

    async def oldest(self, queue: str) -> datetime | None:
        """When the oldest message that waits on a queue, or is worked on, came in; or None.

        Not for queues with sessions. Raises UnavailableError when the queue cannot be asked.
        """

    def before(self, queue: str, end: int) -> AsyncIterator[Queued]:
        """The messages of a queue whose sequence numbers are below `end`, in order.

        Those that somebody has locked are among them, deferred and scheduled ones are not. It takes
        nothing. Not for queues with sessions. Raises UnavailableError when the queue cannot be
        asked.
        """

    async def dead_letters(self, queue: str, most: int) -> int:
        """How many messages of a queue are dead-lettered, counted up to `most`.

        Raises UnavailableError when the queue cannot be asked.
        """

    async def ping(self) -> None:
        """Raise UnavailableError unless the namespace answers."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret of Key Vault and the version that it is."""

    value: str
    version: str


@dataclass(frozen=True, slots=True)
class SecretVersion(Secret):
    """One version of a secret, and when it was made."""

    created: datetime


class Secrets(Protocol):
    """Azure Key Vault secrets."""

    async def get(self, name: str) -> Secret:
        """The current version. Raises UnavailableError when the vault does not answer."""

    async def versions(self, name: str) -> Sequence[SecretVersion]:
        """Every version that is enabled and in force, the oldest first; there may be none.

        Raises UnavailableError when the vault does not answer, or has no version at all.
        """

    async def disabled(self, name: str) -> Mapping[str, datetime]:
        """When each version that is disabled was changed last: as a rule, when it was disabled.

        Raises what `versions` does.
        """

    async def ping(self) -> None:
        """Raise UnavailableError unless the vault answers."""


@dataclass(frozen=True, slots=True)
class BackupJob:
    """One run of a backup, as a recovery vault reports it.

    `item` is the protected item's friendly name, `status` a job status of Azure Backup
    ("Completed", "CompletedWithWarnings", "Failed", "InProgress", ...), `ended` None while it runs.
    """

    item: str
    status: str
    started: datetime
    ended: datetime | None


class RecoveryVaults(Protocol):
    """Azure Recovery Services vaults."""

    async def backup_jobs(
        self, vault: str, since: datetime, until: datetime
    ) -> Sequence[BackupJob]:
        """The backup jobs of a vault that started before `until` and did not end before `since`.

        Raises UnavailableError when the vault cannot be asked.
        """
