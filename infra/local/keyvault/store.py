"""The vault's secrets and their versions, also deleted secrets, kept in one JSON file."""

import base64
import json
import os
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NotRequired, TypedDict

from cryptography.fernet import Fernet, InvalidToken

GENERATORS: Mapping[str, Callable[[], str]] = {
    "random-base64": lambda: base64.b64encode(os.urandom(32)).decode(),
}

# The default retention of a vault ("Azure Key Vault soft-delete overview").
RETENTION_DAYS = 90


class StoredVersion(TypedDict):
    """One version of a secret, with Key Vault's own names.

    `attributes` has `enabled`, the times `created` and `updated`, and possibly `nbf` and `exp`, in
    Unix time.
    """

    version: str
    value: str
    contentType: NotRequired[str]
    tags: NotRequired[dict[str, str]]
    attributes: dict[str, int]


class NotABackupError(Exception):
    """The bytes are not a backup of this vault."""


@dataclass
class StoredSecret:
    """A secret and its versions, the current version last; `deleted_at` is Unix time in seconds."""

    name: str
    versions: list[StoredVersion]
    deleted_at: int | None = None

    @property
    def current(self) -> StoredVersion:
        """The newest version."""
        return self.versions[-1]

    @property
    def purge_at(self) -> int | None:
        """The end of a deleted secret's retention, in Unix time."""
        return None if self.deleted_at is None else self.deleted_at + RETENTION_DAYS * 24 * 3600

    def find(self, version: str) -> StoredVersion | None:
        """Return a version, the current version for an empty `version`, or None."""
        if not version:
            return self.current
        return next((found for found in self.versions if found["version"] == version), None)


class SecretStore:
    """Secrets by name, without regard to case.

    ("Azure Key Vault keys, secrets, and certificates overview", object identifiers.)

    `path` is read if the file exists, and written whole after each change, readable by its owner
    only. `clock` gives Unix time in seconds.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._backup_key = Fernet.generate_key().decode()
        self._secrets: dict[str, StoredSecret] = {}
        if path.exists():
            kept = json.loads(path.read_text())
            # A file from before backups has only the versions of each name.
            if "backup_key" in kept:
                self._backup_key = kept["backup_key"]
                self._load(StoredSecret(**secret) for secret in kept["secrets"])
            else:
                self._load(StoredSecret(name, versions) for name, versions in kept.items())

    def seed(self, declared: Path) -> None:
        """Make a value for each secret that the file `declared` names and the store lacks.

        A deleted secret counts as present: a developer who deleted the secret wants to see the
        consequences. Raises KeyError for a kind of value without a generator.
        """
        for secret in json.loads(declared.read_text()):
            if self.get(secret["name"]) is None and self.get_deleted(secret["name"]) is None:
                self.add(secret["name"], GENERATORS[secret["value"]]())

    def live(self) -> list[StoredSecret]:
        """List the secrets that are not deleted, by name."""
        return [secret for secret in self._all() if secret.deleted_at is None]

    def deleted(self) -> list[StoredSecret]:
        """List the deleted secrets that can still be recovered, by name."""
        return [secret for secret in self._all() if secret.deleted_at is not None]

    def get(self, name: str) -> StoredSecret | None:
        """Return a secret that is not deleted, or None."""
        return next((found for found in self.live() if found.name.lower() == name.lower()), None)

    def get_deleted(self, name: str) -> StoredSecret | None:
        """Return a deleted secret that can still be recovered, or None."""
        return next((found for found in self.deleted() if found.name.lower() == name.lower()), None)

    def add(
        self,
        name: str,
        value: str,
        *,
        content_type: str | None = None,
        tags: Mapping[str, str] | None = None,
        attributes: Mapping[str, int] | None = None,
    ) -> tuple[StoredSecret, StoredVersion]:
        """Store a new current version of a secret that is not deleted; return both."""
        now = int(self._clock())
        made: StoredVersion = {
            "version": uuid.uuid4().hex,
            "value": value,
            "attributes": {"enabled": True, "created": now, "updated": now},
        }
        _change(made, content_type, tags, attributes)
        secret = self._secrets.setdefault(name.lower(), StoredSecret(name, []))
        secret.versions.append(made)
        self._write()
        return secret, made

    def update(
        self,
        version: StoredVersion,
        *,
        content_type: str | None = None,
        tags: Mapping[str, str] | None = None,
        attributes: Mapping[str, int] | None = None,
    ) -> None:
        """Change the given properties of one version."""
        _change(version, content_type, tags, attributes)
        version["attributes"]["updated"] = int(self._clock())
        self._write()

    def delete(self, secret: StoredSecret) -> None:
        """Delete a secret; the deletion can be recovered until `purge_at`."""
        secret.deleted_at = int(self._clock())
        self._write()

    def recover(self, secret: StoredSecret) -> None:
        """Undo a deletion."""
        secret.deleted_at = None
        self._write()

    def purge(self, secret: StoredSecret) -> None:
        """Remove a deleted secret for good."""
        del self._secrets[secret.name.lower()]
        self._write()

    def backup(self, secret: StoredSecret) -> bytes:
        """Encrypt the versions of a secret; only this vault can restore the result."""
        return Fernet(self._backup_key).encrypt(json.dumps(asdict(secret)).encode())

    def decrypt_backup(self, backup: bytes) -> StoredSecret:
        """Decrypt a backup without storing the secret; raises NotABackupError."""
        try:
            return StoredSecret(**json.loads(Fernet(self._backup_key).decrypt(backup)))
        except InvalidToken:
            raise NotABackupError from None

    def restore(self, secret: StoredSecret) -> None:
        """Store a secret from a backup; the name must be free."""
        self._secrets[secret.name.lower()] = secret
        self._write()

    def _all(self) -> list[StoredSecret]:
        """List the secrets by name, after purging the secrets whose retention has ended."""
        now = self._clock()
        due = [kept for kept in self._secrets.values() if kept.purge_at and kept.purge_at <= now]
        for secret in due:
            self.purge(secret)
        return [self._secrets[name] for name in sorted(self._secrets)]

    def _load(self, secrets: Iterable[StoredSecret]) -> None:
        self._secrets = {secret.name.lower(): secret for secret in secrets}

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        written = self._path.with_suffix(".tmp")
        written.unlink(missing_ok=True)
        descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        kept = {
            "backup_key": self._backup_key,
            "secrets": [asdict(secret) for secret in self._secrets.values()],
        }
        with os.fdopen(descriptor, "w") as file:
            json.dump(kept, file, indent=2)
        written.replace(self._path)


def _change(
    version: StoredVersion,
    content_type: str | None,
    tags: Mapping[str, str] | None,
    attributes: Mapping[str, int] | None,
) -> None:
    if content_type is not None:
        version["contentType"] = content_type
    if tags is not None:
        version["tags"] = dict(tags)
    version["attributes"] |= attributes or {}
