"""The journal in a SQLite file: the messages of the queues outlive the broker.

The changes of one turn are one transaction, committed before a client hears of the changes. A
broker that is killed at any moment keeps every message that the broker accepted, and no message
that the broker reported as completed. Changes that cancel each other within a turn are never
written.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from infra.local.servicebus.message_format import AnnotatedMessage, pack, parse
from infra.local.servicebus.messages import Message
from infra.local.servicebus.queue import Queue

_VERSION: Final = 1
_SCHEMA: Final = f"""
PRAGMA user_version = {_VERSION};
CREATE TABLE messages (
    queue TEXT, sequence INTEGER, content BLOB, enqueued_at REAL, session_id TEXT, lifetime REAL,
    expires_at REAL, not_before REAL, deferred INTEGER, delivery_count INTEGER, reason TEXT,
    description TEXT, PRIMARY KEY (queue, sequence)
);
CREATE TABLE sequences (queue TEXT PRIMARY KEY, last INTEGER);
CREATE TABLE history (
    queue TEXT, message_id TEXT, until REAL, PRIMARY KEY (queue, message_id)
);
CREATE TABLE sessions (
    queue TEXT, session_id TEXT, state BLOB, changed_at REAL, PRIMARY KEY (queue, session_id)
);
"""


class JournalError(Exception):
    """The file cannot be used; the error names the file and the reason."""


class SqliteJournal:
    """The journal of every queue; the file belongs to one broker at a time."""

    def __init__(self, path: Path) -> None:
        """Open or create the file. Raises `JournalError`."""
        self._messages: dict[tuple[str, int], Message[AnnotatedMessage] | None] = {}
        self._sequences: dict[str, int] = {}
        self._history: dict[tuple[str, str], float | None] = {}
        self._sessions: dict[tuple[str, str], tuple[bytes | None, float]] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = sqlite3.connect(path, timeout=0, isolation_level=None)
            self._open()
        except (OSError, sqlite3.Error) as error:
            raise JournalError(f"{path}: cannot be used: {error}") from error

    def _open(self) -> None:
        self._file.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = NORMAL")
        version = self._file.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._file.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        elif version != _VERSION:
            raise sqlite3.DatabaseError(f"it is of version {version}, not {_VERSION}")

    # -- the journal -----------------------------------------------------------------------------

    def save_message(self, queue: str, message: Message[AnnotatedMessage]) -> None:
        """Save a new or changed message."""
        self._messages[queue, message.sequence] = message
        self._sequences[queue] = max(self._sequences.get(queue, 0), message.sequence)

    def remove_message(self, queue: str, sequence: int) -> None:
        """Remove a message that left the queue."""
        self._messages[queue, sequence] = None

    def save_message_id(self, queue: str, message_id: str, until: float) -> None:
        """Save a message id for duplicate detection, until a time in seconds since the epoch."""
        self._history[queue, message_id] = until

    def remove_message_id(self, queue: str, message_id: str) -> None:
        """Remove a message id whose window has ended."""
        self._history[queue, message_id] = None

    def save_session_state(
        self, queue: str, session_id: str, state: bytes | None, at: float
    ) -> None:
        """Save the state of a session, or remove the state when `state` is None."""
        self._sessions[queue, session_id] = (state, at)

    # -- the file --------------------------------------------------------------------------------

    def commit(self) -> None:
        """Write the changes since the last commit."""
        if not (self._messages or self._history or self._sessions):
            return
        run = self._file.execute
        many = self._file.executemany
        run("BEGIN IMMEDIATE")
        many(
            "DELETE FROM messages WHERE queue = ? AND sequence = ?",
            [key for key, message in self._messages.items() if message is None],
        )
        many(
            "REPLACE INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [_row(queue, each) for (queue, _), each in self._messages.items() if each is not None],
        )
        many(
            "INSERT INTO sequences VALUES (?, ?)"
            " ON CONFLICT (queue) DO UPDATE SET last = max(last, excluded.last)",
            self._sequences.items(),
        )
        many(
            "DELETE FROM history WHERE queue = ? AND message_id = ?",
            [key for key, until in self._history.items() if until is None],
        )
        many(
            "REPLACE INTO history VALUES (?, ?, ?)",
            [(*key, until) for key, until in self._history.items() if until is not None],
        )
        many(
            "DELETE FROM sessions WHERE queue = ? AND session_id = ?",
            [key for key, (state, _) in self._sessions.items() if state is None],
        )
        many(
            "REPLACE INTO sessions VALUES (?, ?, ?, ?)",
            [(*key, *value) for key, value in self._sessions.items() if value[0] is not None],
        )
        run("COMMIT")
        for changes in (self._messages, self._sequences, self._history, self._sessions):
            changes.clear()

    def restore(self, queue: Queue[AnnotatedMessage]) -> None:
        """Restore the saved messages, message ids and session states of a queue."""
        run, name = self._file.execute, (queue.settings.name,)
        last = run("SELECT last FROM sequences WHERE queue = ?", name).fetchone()
        queue.restore(
            last[0] if last else 0,
            self._stored_messages(*name),
            run("SELECT message_id, until FROM history WHERE queue = ?", name).fetchall(),
            run("SELECT session_id, state, changed_at FROM sessions WHERE queue = ?", name),
        )

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _stored_messages(self, queue: str) -> Iterator[Message[AnnotatedMessage]]:
        rows = self._file.execute(
            "SELECT * FROM messages WHERE queue = ? ORDER BY sequence", (queue,)
        )
        for row in rows:
            _, sequence, content, enqueued, session, lifetime, expires, start, deferred = row[:9]
            count, reason, description = row[9:]
            yield Message(
                sequence,
                parse(content),
                enqueued,
                session,
                lifetime,
                expires,
                start,
                bool(deferred),
                count,
                dead_letter=None if reason is None else (reason, description),
            )


def _row(queue: str, message: Message[AnnotatedMessage]) -> tuple[object, ...]:
    return (
        queue,
        message.sequence,
        pack(message.content),
        message.enqueued_at,
        message.session_id,
        message.lifetime,
        message.expires_at,
        message.not_before,
        message.deferred,
        message.delivery_count,
        *(message.dead_letter or (None, None)),
    )
