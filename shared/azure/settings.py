"""The app's settings, read once at start."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from urllib.parse import urlsplit

# Which Azure regions the vendor runs stamps in; DESIGN.md section 1.
REGIONS = ("eastus", "westeurope", "germanywestcentral", "australiaeast")


# "Origin" in tlog-checkpoint.md and "key name" in signed-note.md, c2sp.org.
_ORIGIN = re.compile(r"[A-Za-z0-9.:-]+(?:/[A-Za-z0-9._~-]+)*")


class SettingsError(Exception):
    """One or more settings are missing or wrong; the text has one line for each."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting that the app reads, by the name it has in Azure's application settings."""

    DAM_STORAGE: str
    """Connection string of the storage account that holds blobs and tables."""
    SERVICE_BUS: str
    """Connection string of the Service Bus namespace."""
    KEY_VAULT_URL: str
    """URL of the vault that holds keys and secrets, https only."""
    STAMP_REGION: str
    """The Azure region of this stamp, as Azure names it: westeurope."""
    TOKEN_ISSUER: str
    """Issuer of the bearer tokens: OpenID discovery is read below this URL."""
    TOKEN_AUDIENCE: str
    """The audience that a token must be for."""
    LOG_ORIGIN: str
    """Host and path below which the API is served, without scheme; every log's origin begins so."""
    BACKUP_EXPECTATIONS_FILE: Path
    """JSON file that declares which backups must run, and how often."""
    RECOVERY_SCENARIO_FILE: Path
    """JSON file that stands for what the recovery vaults report."""


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read and check every setting. Raises SettingsError naming each that is missing or wrong."""
    values: dict[str, str | Path] = {}
    faults = []
    for field in fields(Settings):
        value = environment.get(field.name, "").strip()
        fault = "is not set" if not value else _CHECKS[field.name](value)
        if fault:
            faults.append(f"{field.name} {fault}")
        values[field.name] = Path(value) if field.type is Path else value
    if faults:
        raise SettingsError("The settings are not complete:\n  " + "\n  ".join(faults))
    return Settings(**values)  # type: ignore[arg-type]  # each value has its field's type, above


def _connection_string(*required: str) -> Callable[[str], str | None]:
    def check(value: str) -> str | None:
        parts = _parts(value)
        missing = [name for name in required if not parts.get(name)]
        return f"is a connection string without {', '.join(missing)}" if missing else None

    return check


def _storage(value: str) -> str | None:
    if value == "UseDevelopmentStorage=true":
        return None
    fault = _connection_string("AccountName", "AccountKey")(value)
    if fault:
        return fault
    try:
        base64.b64decode(_parts(value)["AccountKey"], validate=True)
    except binascii.Error:
        return "is a connection string whose AccountKey is not in base64"
    return None


def _bus(value: str) -> str | None:
    fault = _connection_string("Endpoint", "SharedAccessKeyName", "SharedAccessKey")(value)
    if fault:
        return fault
    fault = _url("sb")(_parts(value)["Endpoint"])
    return f"is a connection string whose Endpoint {fault}" if fault else None


def _parts(value: str) -> dict[str, str]:
    return dict(part.partition("=")[::2] for part in value.split(";") if part)


def _url(*schemes: str) -> Callable[[str], str | None]:
    def check(value: str) -> str | None:
        try:
            parts = urlsplit(value)
            # Reading the port is what checks it.
            if parts.scheme in schemes and parts.hostname and parts.port != 0:
                return None
        except ValueError:
            return "is not a URL"
        return f"must be a URL that begins with {' or '.join(f'{s}://' for s in schemes)}"

    return check


def _region(value: str) -> str | None:
    return None if value in REGIONS else f"must be one of {', '.join(REGIONS)}"


def _origin(value: str) -> str | None:
    if _ORIGIN.fullmatch(value):
        return None
    return "must be a host and path without scheme, spaces, plus and a slash at the end"


def _file(value: str) -> str | None:
    return None if Path(value).is_file() else "names a file that does not exist"


def _any(_value: str) -> None:
    return None


_CHECKS: Mapping[str, Callable[[str], str | None]] = {
    "DAM_STORAGE": _storage,
    "SERVICE_BUS": _bus,
    "KEY_VAULT_URL": _url("https"),
    "STAMP_REGION": _region,
    "TOKEN_ISSUER": _url("https", "http"),
    "TOKEN_AUDIENCE": _any,
    "LOG_ORIGIN": _origin,
    "BACKUP_EXPECTATIONS_FILE": _file,
    "RECOVERY_SCENARIO_FILE": _file,
}
