"""The app's settings, read once at start."""

import base64
import binascii
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from urllib.parse import urlsplit

from shared.rate_limits import BURST, PER_SECOND
from shared.residency import REGIONS

_APP_FOLDER = Path(__file__).parents[1]

SCANNERS = ("yara-x", "clamd", "defender")

# "Origin" in tlog-checkpoint.md and "key name" in signed-note.md, c2sp.org.
_ORIGIN = re.compile(r"[A-Za-z0-9.:-]+(?:/[A-Za-z0-9._~-]+)*")
# "Azure Blob storage trigger for Azure Functions", source, learn.microsoft.com.
BLOB_SOURCES = ("LogsAndContainerScan", "EventGrid")
# Set by App Service for every app, and on no developer's machine.
_AZURE = ("WEBSITE_INSTANCE_ID", "WEBSITE_SITE_NAME")
_UUID = re.compile("[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# "Naming rules and restrictions for Azure resources", Microsoft.Resources, learn.microsoft.com.
_RESOURCE_GROUP = re.compile(r"[\w.()-]{0,89}[\w()-]")
# 50,000 blocks of 4,000 MiB: "Scalability and performance targets for Blob storage".
_MAX_BLOB = 50_000 * 4000 * 1024**2


class SettingsError(Exception):
    """One or more settings are missing or wrong; the text has a line for each setting."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of the app, under the name in Azure's application settings."""

    DAM_STORAGE: str
    """Connection string of the storage account for blobs and tables."""
    SERVICE_BUS: str
    """Connection string of the Service Bus namespace."""
    KEY_VAULT_URL: str
    """URL of the vault for keys and secrets, https only."""
    DATA_KEY_VAULT_URL: str
    """URL of the vault for the tenants' data keys and nothing else, https only."""
    STAMP_REGION: str
    """The Azure region of the stamp, by Azure's name: westeurope."""
    TOKEN_ISSUER: str
    """Issuer of the bearer tokens: OpenID discovery is read below the URL."""
    TOKEN_AUDIENCE: str
    """The required audience of a token."""
    LOG_ORIGIN: str
    """Host and path of the API, without scheme; the origin of every log begins with the setting."""
    UPLOAD_SIZE_LIMIT: int
    """The largest accepted file, in bytes."""
    BLOB_TRIGGER_SOURCE: str
    """The source of upload events: LogsAndContainerScan (polling) or EventGrid, by Azure's names.
    """
    BACKUP_EXPECTATIONS_FILE: Path
    """JSON file that declares the required backups and their intervals."""
    ARM_ENDPOINT: str
    """URL of Azure Resource Manager, https only: https://management.azure.com."""
    RECOVERY_SUBSCRIPTION_ID: str
    """Id of the subscription with the recovery vaults, a UUID."""
    RECOVERY_RESOURCE_GROUP: str
    """Name of the resource group with the recovery vaults."""
    SCANNER: str
    """The engines that scan uploads: yara-x, clamd or defender, or several with commas between.
    """
    SIGNATURE_MAX_AGE_DAYS: int
    """Days after which old signatures of an engine open an incident."""
    RESCAN_BYTES_A_DAY: int
    """Bytes of stored assets that are scanned again in a day (UTC); 0 for no rescans."""
    MAIL_SERVER: str
    """The SMTP server for notices, `host:port`; the port for submission is 587."""
    MAIL_SENDER: str
    """The address from which notices are sent."""
    CLAMD_ADDRESS: str = ""
    """The address of clamd: `host:port`, or the path of a Unix socket. Needed for clamd."""
    CLAMD_MAX_STREAM_MIB: int = 0
    """The StreamMaxLength of clamd, in MiB. Needed for clamd."""
    SCAN_RESULT_MINUTES: int = 0
    """Minutes to wait for a scan result before an incident is opened. Needed for defender."""
    REQUESTS_PER_SECOND: int = PER_SECOND
    """Requests a second that an instance takes from each caller, or from an address without token.
    """
    REQUEST_BURST: int = BURST
    """Requests that a caller, or an address without token, may send at once."""
    MAIL_TLS: str = "starttls"
    """starttls, or none for a mail server on the machine itself; never none in Azure."""
    MAIL_USERNAME: str = ""
    """The user of the mail server; the password is the secret mail-password. Empty for no login."""
    WEBHOOK_LOOPBACK: str = ""
    """The receiver of the local stack, as 127.0.0.1:port; never in Azure."""
    MAINTENANCE_NOTICE_HOURS: int = 120
    """Hours before the start of a maintenance window by which tenants are told."""
    MAINTENANCE_REMINDER_HOURS: str = "24,1"
    """Hours before the start at which tenants are reminded, with commas between."""

    @property
    def maintenance_reminders(self) -> tuple[int, ...]:
        """The hours that MAINTENANCE_REMINDER_HOURS names, in order."""
        return tuple(int(hours) for hours in _names(self.MAINTENANCE_REMINDER_HOURS))

    @property
    def scanners(self) -> tuple[str, ...]:
        """The engines that SCANNER names, in order."""
        return _names(self.SCANNER)


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read and check every setting. Raises SettingsError naming each missing or wrong setting."""
    values: dict[str, str | int | Path] = {}
    faults = []
    scanners = _names(environment.get("SCANNER", ""))
    for field in fields(Settings):
        value = environment.get(field.name, "").strip()
        if not value and _is_optional(field.name, scanners):
            continue
        fault = "is not set" if not value else _CHECKS[field.name](value)
        if fault:
            faults.append(f"{field.name} {fault}")
        else:
            values[field.name] = _value(field.type, value)
    if _host(values.get("DATA_KEY_VAULT_URL")) == _host(values.get("KEY_VAULT_URL")) is not None:
        faults.append("DATA_KEY_VAULT_URL must name another vault than KEY_VAULT_URL")
    faults += _only_local(values, environment)
    if faults:
        raise SettingsError("The settings are not complete:\n  " + "\n  ".join(faults))
    return Settings(**values)  # type: ignore[arg-type]  # each value has its field's type, above


def _only_local(
    values: Mapping[str, str | int | Path], environment: Mapping[str, str]
) -> list[str]:
    """Return the faults of settings for a developer's machine that are set in Azure.

    Source: "Environment variables and app settings in Azure App Service", WEBSITE_INSTANCE_ID and
    WEBSITE_SITE_NAME.
    """
    is_local = values.get("MAIL_TLS") == "none" or "WEBHOOK_LOOPBACK" in values
    if not is_local or not any(map(environment.get, _AZURE)):
        return []
    names = [] if values.get("MAIL_TLS") != "none" else ["MAIL_TLS must be starttls in Azure"]
    if "WEBHOOK_LOOPBACK" in values:
        names.append("WEBHOOK_LOOPBACK must not be set in Azure")
    return names


def _is_optional(name: str, scanners: Collection[str]) -> bool:
    return name in _DEFAULTED or (name in _ONLY_FOR and _ONLY_FOR[name] not in scanners)


def _value(kind: object, value: str) -> str | int | Path:
    if kind is Path:
        return resolved(value)
    return int(value) if kind is int else value


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
            # The reading of the port checks the port.
            if parts.scheme in schemes and parts.hostname and parts.port != 0:
                return None
        except ValueError:
            return "is not a URL"
        return f"must be a URL that begins with {' or '.join(f'{s}://' for s in schemes)}"

    return check


def _host(url: str | int | Path | None) -> str | None:
    """Return the host and the port of a checked URL, for comparison."""
    if not isinstance(url, str):
        return None
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or 443}"


def _origin(value: str) -> str | None:
    if _ORIGIN.fullmatch(value):
        return None
    return "must be a host and path without scheme, spaces, plus and a slash at the end"


def resolved(path: str) -> Path:
    """Resolve a path of a setting: a relative path is below the folder of `function_app.py`.

    On Flex Consumption the worker imports the app from another working directory, and changes into
    the app's folder only afterwards.
    """
    return _APP_FOLDER / path


def _file(value: str) -> str | None:
    if resolved(value).is_file():
        return None
    return "names a file that does not exist in the app's folder, or at an absolute path"


def _subscription(value: str) -> str | None:
    return None if _UUID.fullmatch(value) else "must be a UUID, as Azure shows it"


def _resource_group(value: str) -> str | None:
    if _RESOURCE_GROUP.fullmatch(value):
        return None
    return "must be 1 to 90 letters, digits and any of ._()- without a period at the end"


def _one_of(*names: str) -> Callable[[str], str | None]:
    def check(value: str) -> str | None:
        return None if value in names else f"must be one of {', '.join(names)}"

    return check


def _scanners(value: str) -> str | None:
    names = _names(value)
    if set(names) <= set(SCANNERS) and len(set(names)) == len(names):
        return None
    return f"must be one or more of {', '.join(SCANNERS)}, each once, with commas between"


def _hours(value: str) -> str | None:
    hours = _names(value)
    is_number = all(_number(2160)(hour) is None for hour in hours)
    if is_number and len({int(hour) for hour in hours}) == len(hours) <= 10:
        return None
    return "must be 1 to 10 different whole numbers from 1 to 2160, with commas between"


def _names(value: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in value.split(","))


def _number(most: int) -> Callable[[str], str | None]:
    def check(value: str) -> str | None:
        if re.fullmatch("[0-9]{1,9}", value) and 1 <= int(value) <= most:
            return None
        return f"must be a whole number from 1 to {most}"

    return check


def _clamd(value: str) -> str | None:
    host, _, port = value.rpartition(":")
    if value.startswith("/") or (host and not _number(65535)(port)):
        return None
    return "must be host:port, or the path of a Unix socket that begins with /"


def _bytes(value: str) -> str | None:
    if re.fullmatch("[1-9][0-9]{0,18}", value) and int(value) <= _MAX_BLOB:
        return None
    return f"must be a whole number of bytes from 1 to {_MAX_BLOB}, the largest blob there is"


def _budget(value: str) -> str | None:
    if re.fullmatch("[0-9]{1,18}", value):
        return None
    return "must be a whole number of bytes, at most 18 digits; 0 for no rescans"


def _mail_server(value: str) -> str | None:
    host, _, port = value.rpartition(":")
    if re.fullmatch(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]", host) and not _number(65535)(port):
        return None
    return "must be host:port"


def _loopback(value: str) -> str | None:
    host, _, port = value.rpartition(":")
    if host == "127.0.0.1" and not _number(65535)(port):
        return None
    return "must be 127.0.0.1:port"


def _mail_address(value: str) -> str | None:
    if re.fullmatch(r"[A-Za-z0-9._+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+", value):
        return None
    return "must be an e-mail address in ASCII"


def _any(_value: str) -> None:
    return None


_CHECKS: Mapping[str, Callable[[str], str | None]] = {
    "DAM_STORAGE": _storage,
    "SERVICE_BUS": _bus,
    "KEY_VAULT_URL": _url("https"),
    "DATA_KEY_VAULT_URL": _url("https"),
    "STAMP_REGION": _one_of(*REGIONS),
    "TOKEN_ISSUER": _url("https", "http"),
    "TOKEN_AUDIENCE": _any,
    "LOG_ORIGIN": _origin,
    "UPLOAD_SIZE_LIMIT": _bytes,
    "BLOB_TRIGGER_SOURCE": _one_of(*BLOB_SOURCES),
    "BACKUP_EXPECTATIONS_FILE": _file,
    "ARM_ENDPOINT": _url("https"),
    "RECOVERY_SUBSCRIPTION_ID": _subscription,
    "RECOVERY_RESOURCE_GROUP": _resource_group,
    "SCANNER": _scanners,
    "SIGNATURE_MAX_AGE_DAYS": _number(3650),
    "RESCAN_BYTES_A_DAY": _budget,
    "CLAMD_ADDRESS": _clamd,
    # INSTREAM states lengths in 32 bits.
    "CLAMD_MAX_STREAM_MIB": _number(4095),
    "REQUESTS_PER_SECOND": _number(1_000_000),
    "REQUEST_BURST": _number(10_000_000),
    "MAINTENANCE_NOTICE_HOURS": _number(2160),
    "MAINTENANCE_REMINDER_HOURS": _hours,
    "SCAN_RESULT_MINUTES": _number(60 * 24 * 7),
    "MAIL_SERVER": _mail_server,
    "MAIL_SENDER": _mail_address,
    "MAIL_TLS": _one_of("starttls", "none"),
    "MAIL_USERNAME": _any,
    "WEBHOOK_LOOPBACK": _loopback,
}
# Settings with a value where they are not set.
_DEFAULTED = frozenset(
    {
        "REQUESTS_PER_SECOND",
        "REQUEST_BURST",
        "MAIL_TLS",
        "MAIL_USERNAME",
        "WEBHOOK_LOOPBACK",
        "MAINTENANCE_NOTICE_HOURS",
        "MAINTENANCE_REMINDER_HOURS",
    }
)
# Settings that are needed with one scanner alone.
_ONLY_FOR: Mapping[str, str] = {
    "CLAMD_ADDRESS": "clamd",
    "CLAMD_MAX_STREAM_MIB": "clamd",
    "SCAN_RESULT_MINUTES": "defender",
}
