"""The vault's secrets and their versions, kept in one JSON file."""

import base64
import json
import os
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

GENERATORS: Mapping[str, Callable[[], str]] = {
    "random-base64": lambda: base64.b64encode(os.urandom(32)).decode(),
    "fernet-key": lambda: Fernet.generate_key().decode(),
}

# One version: `version`, `value`, `contentType`, `tags` and `attributes`, as Key Vault names them.
Version = dict[str, Any]


class SecretStore:
    """Secrets by name, each a list of versions with the current one last.

    `path` is read when it exists, and written whole after each change, readable by its owner only.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._secrets: dict[str, list[Version]] = {}
        if path.exists():
            self._secrets = json.loads(path.read_text())

    def seed(self, declared: Path) -> None:
        """Make a value for each secret that the file `declared` names and that has none yet.

        Raises KeyError when it asks for a kind of value that no generator makes.
        """
        for secret in json.loads(declared.read_text()):
            if secret["name"] not in self._secrets:
                self.add(secret["name"], GENERATORS[secret["value"]]())

    def names(self) -> list[str]:
        """Every secret's name, in order."""
        return sorted(self._secrets)

    def versions(self, name: str) -> list[Version]:
        """All versions of a secret, the oldest first; none when there is no such secret."""
        return list(self._secrets.get(name, []))

    def find(self, name: str, version: str) -> Version | None:
        """One version of a secret, the current one for an empty `version`; None if not there."""
        versions = self._secrets.get(name, [])
        if not version:
            return versions[-1] if versions else None
        return next((found for found in versions if found["version"] == version), None)

    def add(
        self,
        name: str,
        value: str,
        *,
        content_type: str | None = None,
        tags: Mapping[str, str] | None = None,
        enabled: bool = True,
    ) -> Version:
        """Store a new current version of a secret and return it."""
        now = int(time.time())
        made: Version = {
            "version": uuid.uuid4().hex,
            "value": value,
            "attributes": {
                "enabled": enabled,
                "created": now,
                "updated": now,
                "recoveryLevel": "Purgeable",
                "recoverableDays": 0,
            },
        }
        if content_type is not None:
            made["contentType"] = content_type
        if tags is not None:
            made["tags"] = dict(tags)
        self._secrets.setdefault(name, []).append(made)
        self._write()
        return made

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        written = self._path.with_suffix(".tmp")
        written.unlink(missing_ok=True)
        descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(self._secrets, file, indent=2)
        written.replace(self._path)
