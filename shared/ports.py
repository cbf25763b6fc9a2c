"""The ports of the flows to the outside world, as plain data and protocols.

`shared.azure` implements the protocols on Azure; `shared.composition` hands them to the flows.
"""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

type Clock = Callable[[], datetime]
type Value = str | int | float | bool | bytes


@dataclass(frozen=True, slots=True)
class Row:
    """An entity of a table. `etag` comes from the reading, and is None for a new entity."""

    partition: str
    row: str
    values: Mapping[str, Value]
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Insert:
    """Create `row`; the transaction fails if the row exists."""

    row: Row


@dataclass(frozen=True, slots=True)
class Replace:
    """Replace `row`; the transaction fails unless the row's ETag is still `row.etag`."""

    row: Row


@dataclass(frozen=True, slots=True)
class Upsert:
    """Create or replace `row`, whatever its state."""

    row: Row


@dataclass(frozen=True, slots=True)
class Merge:
    """Create `row`, or set the columns in the existing row, whose remaining columns stay."""

    row: Row


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete an entity; with an `etag`, only the unchanged entity."""

    partition: str
    row: str
    etag: str | None = None


type Operation = Insert | Replace | Upsert | Merge | Delete


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on a column: one of OData's comparisons ("eq", "ge", "lt", ...) with a value."""

    column: str
    comparison: Literal["eq", "ne", "gt", "ge", "lt", "le"]
    value: Value


@dataclass(frozen=True, slots=True)
class Page:
    """A page of rows, and the token of the next page (None at the end)."""

    rows: Sequence[Row]
    continuation: str | None


class Tables(Protocol):
    """Azure Table Storage."""

    async def get(self, table: str, partition: str, row: str) -> Row | None:
        """Return an entity, or None."""

    async def commit(self, table: str, operations: Sequence[Operation]) -> Sequence[str | None]:
        """Run `operations` on one partition as one entity-group transaction, at most 100.

        Returns the new ETag of each row, None for a deleted row. Raises RowConflictError when a
        precondition of an operation does not hold.
        """

    async def delete(self, table: str, partition: str, row: str) -> None:
        """Delete an entity; a missing entity is no error."""

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
        columns: Sequence[str] = (),
    ) -> Page:
        """Return a page of a partition in RowKey order, of the rows whose keys begin with `prefix`.

        With `between`, the page has the rows from the first RowKey up to, not including, the
        second. Only rows that meet every condition of `where` are returned, with every column or
        only with `columns`. The service ends a page
        after some time, so a page with conditions may be short, or empty, and still have a
        continuation. Raises MalformedInputError for a continuation token of foreign origin.
        """

    def scan(
        self, table: str, partition: str, *, prefix: str = "", where: Sequence[Condition] = ()
    ) -> AsyncIterator[Row]:
        """Yield every row of a partition whose RowKey begins with `prefix`, in order.

        Only rows that meet every condition of `where` are yielded.
        """

    def between(
        self, table: str, partition: str, first: str, last: str, *, size: int = 1000
    ) -> AsyncIterator[Row]:
        """The rows of a partition with keys from `first` to `last`, both included, in order.

        `size` is how many are asked for at once.
        """


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """The answer of a HEAD request for a blob. `size` is in bytes.

    Names of metadata are in lower case, as they are not case-sensitive. `plain_type` is the
    Content-Type of a blob without a further header for its readers, and None for any other blob.
    `is_cold` marks a blob that was put into the tier cool or cold. `is_block_blob` is False for a
    page blob and for an append blob.
    """

    container: str
    name: str
    etag: str
    size: int
    last_modified: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)
    plain_type: str | None = None
    is_cold: bool = False
    is_block_blob: bool = True


class Blobs(Protocol):
    """Azure Blob Storage."""

    async def ensure_container(self, container: str) -> None:
        """Create `container` unless the container exists."""

    async def head(self, container: str, name: str) -> BlobInfo | None:
        """Return the properties of a blob, or None."""

    def read(self, blob: BlobInfo) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open the stored bytes of exactly the given version, in chunks of at most 4 MiB.

        The bytes are never decompressed, whatever Content-Encoding the blob has. Raises
        BlobChangedError when the blob has another version, and BlobArchivedError.
        """

    async def read_range(self, blob: BlobInfo, start: int, size: int) -> bytes:
        """Return `size` stored bytes of exactly the given version, from `start` on.

        Raises as `read` does.
        """

    async def write(self, container: str, name: str, data: bytes, content_type: str) -> bool:
        """Create a blob, and leave an existing blob unchanged. Returns True for a created blob."""

    async def write_stream(
        self, container: str, name: str, chunks: AsyncIterator[bytes], content_type: str
    ) -> None:
        """Create or replace a blob of any size; the blob appears once every chunk is written."""

    async def copy(
        self,
        source: BlobInfo,
        container: str,
        name: str,
        metadata: Mapping[str, str],
        content_type: str,
        tags: Mapping[str, str] | None = None,
    ) -> bool:
        """Copy the given version inside the service to a free name.

        The copy has the bytes, `metadata`, `content_type` and the tier hot; no header, metadata,
        tag or tier of the source. `tags` become blob index tags, where the account has blob index
        tags. Returns False when a blob with different metadata has the name; a blob with the same
        metadata is an earlier attempt at the same copy, and is completed. Raises BlobChangedError
        when `source` has changed, and BlobArchivedError.
        """

    async def delete(self, container: str, name: str, etag: str | None = None) -> None:
        """Delete a blob with the snapshots; a missing blob is no error, and a lease no hindrance.

        With an `etag`, only the version with the ETag is deleted.
        """

    async def rehydrate(self, container: str, name: str) -> None:
        """Request the rehydration of a blob from the archive tier, which may take hours.

        The blob's ETag stays. A missing blob, or a blob in rehydration, is no error.
        """

    def locate(self, url: str) -> tuple[str | None, Sequence[str]]:
        """Return the container and the possible names of the blob that a URL of the account names.

        Two names are possible where a percent sign may be literal or an encoding. The container is
        None for a URL of another account.
        """

    async def count(self, container: str, prefix: str, most: int) -> int:
        """Return the number of blobs whose name begins with `prefix`, up to `most`.

        `most` is at most 5,000, the blobs of one request.
        """

    def scan(
        self, container: str, prefix: str = "", *, size: int | None = None
    ) -> AsyncIterator[BlobInfo]:
        """Yield every blob of a container whose name begins with `prefix`, in order, without
        metadata.

        `size` is the number of blobs per request; the service's own number if left out.
        """

    def upload_url(self, container: str, name: str, expires: datetime, *, blocks: bool) -> str:
        """Return a URL for the creation of a new blob until `expires`.

        With `blocks` the blob may be sent in blocks; Azure demands the permission to write for
        blocks, and so the URL can also overwrite an existing blob.
        """

    def read_url(self, container: str, name: str, expires: datetime, filename: str) -> str:
        """Return a URL for the reading of a blob until `expires`, offered as `filename`.

        Readers are told to keep the blob in no cache.
        """

    async def ping(self) -> None:
        """Raise UnavailableError unless the account answers."""


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message for a queue. `id` is the dedupe key, `session` set on session queues.

    A message with `not_before` becomes visible at that time.
    """

    queue: str
    id: str
    body: bytes
    session: str | None = None
    content_type: str = "application/cloudevents+json"
    properties: Mapping[str, Value] = field(default_factory=dict)
    not_before: datetime | None = None


class Sender(Protocol):
    """A taker of messages, such as the bus."""

    async def send(self, messages: Sequence[OutgoingMessage]) -> None:
        """Send every message; the return confirms acceptance. Raises UnavailableError as a bus
        does.
        """


@dataclass(frozen=True, slots=True)
class Queued:
    """A message on a queue, with the queue's sequence number."""

    number: int
    body: bytes


@dataclass(frozen=True, slots=True)
class QueuePlace:
    """A queue of the namespace, or the dead-letter queue of the queue."""

    queue: str
    is_dead_letters: bool = False


@dataclass(frozen=True, slots=True)
class BusMessage:
    """A message as the bus keeps the message, with the number that the queue gave.

    `body` is None for a body that is neither bytes nor text. `reason` is the reason of a dead
    letter. The names of `properties` are text, and the bus's own properties are left out.
    """

    number: int
    id: str
    body: bytes | None
    session: str | None
    content_type: str | None
    delivery_count: int
    enqueued: datetime
    reason: str | None
    properties: Mapping[str, object]


class TakenMessages(Protocol):
    """Messages that were received under locks, and that nobody else receives meanwhile."""

    @property
    def messages(self) -> Mapping[int, BusMessage]:
        """The messages, by number."""

    async def complete(self, numbers: Collection[int]) -> Collection[int]:
        """Remove messages from the bus. Returns the numbers of the removed messages.

        A message whose lock is lost, or that the bus did not remove, stays.
        """


class Bus(Protocol):
    """Azure Service Bus."""

    async def send(self, messages: Sequence[OutgoingMessage]) -> None:
        """Send every message; the return confirms the service's acceptance.

        Raises UnavailableError after a failure; the service may have accepted some of the messages.
        """

    async def oldest(self, queue: str) -> datetime | None:
        """Return the enqueue time of the oldest message, waiting or in work, of a queue; or None.

        Not for queues with sessions. Raises UnavailableError when the queue cannot be asked.
        """

    def before(self, queue: str, end: int) -> AsyncIterator[Queued]:
        """Yield the messages of a queue whose sequence numbers are below `end`, in order.

        Locked messages are included, deferred and scheduled messages are not. The queue keeps every
        message. Not for queues with sessions. Raises UnavailableError when the queue cannot be
        asked.
        """

    async def browse(self, place: QueuePlace, first: int, most: int) -> Sequence[BusMessage]:
        """Return up to `most` messages from the number `first` on, locked messages included.

        An empty answer is the end; a shorter answer is not. No message is taken out or locked.
        Raises UnavailableError when the queue cannot be asked.
        """

    def take(
        self, place: QueuePlace, numbers: Collection[int]
    ) -> AbstractAsyncContextManager[TakenMessages]:
        """Receive the messages with `numbers`, as far as nobody else holds them.

        The bus gives messages in their order alone, so the messages before are received, too, and
        given back at the end: within limits, a message behind many others is not reached. Not for
        queues with sessions, whose dead-letter queues have none. Raises UnavailableError.
        """

    async def ping(self) -> None:
        """Raise UnavailableError unless the namespace answers."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret of Key Vault, with the version."""

    value: str
    version: str


@dataclass(frozen=True, slots=True)
class SecretVersion(Secret):
    """A version of a secret, with the time of creation."""

    created: datetime


class Secrets(Protocol):
    """Azure Key Vault secrets."""

    async def get(self, name: str) -> Secret:
        """The current version. Raises UnavailableError when the vault does not answer."""

    async def versions(self, name: str) -> Sequence[SecretVersion]:
        """Return every enabled version in force, the oldest first; none for a missing secret.

        Raises UnavailableError when the vault does not answer.
        """

    async def disabled(self, name: str) -> Mapping[str, datetime]:
        """Return the time of the last change of each disabled version: as a rule, the disabling.

        Raises the errors of `versions`.
        """

    async def ping(self, needed: Sequence[str]) -> None:
        """Raise UnavailableError unless the vault now has an enabled version of each secret.

        `needed` has the names of the secrets.
        """


@dataclass(frozen=True, slots=True)
class DataKey:
    """A version of a tenant's data key: the 32 bytes of an AES-256 key.

    `repr` does not show the key.
    """

    key: bytes = field(repr=False)
    version: str


class DataKeys(Protocol):
    """The data keys of the tenants, in a vault of their own.

    An answer may be five minutes old: an instance learns of a new, a disabled or a destroyed
    version within five minutes. Each method raises UnavailableError("data-key-vault") when the
    vault does not answer or refuses the app.
    """

    async def newest(self, tenant: str) -> DataKey:
        """Return the newest version in force; the first call for a tenant makes a version.

        Two instances at once may make two versions, and both stay readable. Raises DataKeyError
        when the key is destroyed, no version is in force, or the newest is not 32 bytes.
        """

    async def version(self, tenant: str, version: str) -> DataKey:
        """Return a version of a tenant's data key.

        Raises DataKeyError when the version is destroyed, disabled, out of force, or not 32 bytes.
        """

    async def destroy(self, tenant: str) -> datetime | None:
        """Delete the data key with every version, and return the end of the vault's retention.

        Until the end an operator can recover the key. None for a tenant without a key. A second
        call does no harm.
        """

    async def ping(self) -> None:
        """Raise UnavailableError unless the vault answers the app."""


@dataclass(frozen=True, slots=True)
class BackupJob:
    """A run of a backup, in the words of a recovery vault.

    `item` is the protected item's friendly name, `status` a job status of Azure Backup
    ("Completed", "CompletedWithWarnings", "Failed", "InProgress", ...), `ended` None for a running
    job.
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
