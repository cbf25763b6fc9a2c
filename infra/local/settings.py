"""The settings that the stack gives the app, by the names in Azure."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from infra.local.ports import LOOPBACK, Ports

ROOT = Path(__file__).parents[2]
AUDIENCE = "api://vouchsafe"

# Where Azure Resource Manager finds the recovery vaults.
SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
RESOURCE_GROUP = "vouchsafe-local"
SCENARIO = ROOT / "infra/local/recovery/scenario.json"

# Azurite's account and key are public and the same everywhere, so the key protects nothing.
# https://learn.microsoft.com/azure/storage/common/storage-connect-azurite
STORAGE_ACCOUNT = "devstoreaccount1"
STORAGE_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

# The variables that a child needs from the parent's environment. Every further variable stays out:
# above all settings of the app from the developer's shell, and PYTHONDONTWRITEBYTECODE, which would
# make every start compile the app again.
INHERITED = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")


def endpoints(ports: Ports) -> dict[str, str]:
    """Return the URL of every service of the stack."""
    return {
        "app": f"http://{LOOPBACK}:{ports.host}",
        "blob": f"http://{LOOPBACK}:{ports.blob}/{STORAGE_ACCOUNT}",
        "queue": f"http://{LOOPBACK}:{ports.queue}/{STORAGE_ACCOUNT}",
        "table": f"http://{LOOPBACK}:{ports.table}/{STORAGE_ACCOUNT}",
        "service_bus": f"sb://localhost:{ports.service_bus}",
        "key_vault": f"https://{LOOPBACK}:{ports.key_vault}",
        "data_key_vault": f"https://{LOOPBACK}:{ports.data_key_vault}",
        "token_issuer": f"http://{LOOPBACK}:{ports.token_issuer}",
        "resource_manager": f"https://{LOOPBACK}:{ports.resource_manager}",
        "mailbox": f"http://{LOOPBACK}:{ports.mailbox}",
        "webhook_receiver": f"https://{LOOPBACK}:{ports.webhook_receiver}",
    }


def connection_strings(ports: Ports) -> dict[str, str]:
    """Return the connection strings of storage and of the bus."""
    urls = endpoints(ports)
    return {
        "storage": _storage(urls),
        # The form that the emulator's documentation gives, with a placeholder for the key.
        # https://learn.microsoft.com/azure/service-bus-messaging/test-locally-with-service-bus-emulator
        "service_bus": (
            f"Endpoint={urls['service_bus']};SharedAccessKeyName=RootManageSharedAccessKey;"
            "SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true;"
        ),
    }


def beyond_faults(ports: Ports) -> Ports:
    """Return the ports for a client that reaches storage through the fault proxy."""
    return replace(
        ports, blob=ports.faulty_blob, queue=ports.faulty_queue, table=ports.faulty_table
    )


def _storage(urls: dict[str, str]) -> str:
    return (
        f"DefaultEndpointsProtocol=http;AccountName={STORAGE_ACCOUNT};AccountKey={STORAGE_KEY};"
        f"BlobEndpoint={urls['blob']};QueueEndpoint={urls['queue']};TableEndpoint={urls['table']};"
    )


def app_settings(ports: Ports, authority: Path, identity_header: str) -> dict[str, str]:
    """Return every setting that the app reads from the environment on this stack.

    `authority` is the certificate of the CA that signed the vault's certificate. `identity_header`
    is the secret of the managed identity endpoint. App Service also makes a new secret for each
    start:
    https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference
    """
    urls = endpoints(ports)
    strings = connection_strings(ports)
    return {
        "AzureWebJobsStorage": strings["storage"],
        "DAM_STORAGE": strings["storage"],
        "SERVICE_BUS": strings["service_bus"],
        "KEY_VAULT_URL": urls["key_vault"],
        "DATA_KEY_VAULT_URL": urls["data_key_vault"],
        "STAMP_REGION": "westeurope",
        "TOKEN_ISSUER": urls["token_issuer"],
        "TOKEN_AUDIENCE": AUDIENCE,
        "LOG_ORIGIN": "vouchsafe.test/westeurope/api",
        "UPLOAD_SIZE_LIMIT": str(100 * 1024**3),
        "BLOB_TRIGGER_SOURCE": "LogsAndContainerScan",
        "BACKUP_EXPECTATIONS_FILE": str(ROOT / "infra/local/backups/expectations.json"),
        "ARM_ENDPOINT": urls["resource_manager"],
        "RECOVERY_SUBSCRIPTION_ID": SUBSCRIPTION,
        "RECOVERY_RESOURCE_GROUP": RESOURCE_GROUP,
        "SCANNER": "yara-x",
        "SIGNATURE_MAX_AGE_DAYS": "365",
        "REQUESTS_PER_SECOND": "100",
        "REQUEST_BURST": "2000",
        "MAINTENANCE_NOTICE_HOURS": "120",
        "MAINTENANCE_REMINDER_HOURS": "24,1",
        "RESCAN_BYTES_A_DAY": str(1024**4),
        "MAIL_SERVER": f"localhost:{ports.smtp}",
        "MAIL_SENDER": "notices@vouchsafe.example",
        "MAIL_TLS": "starttls",
        "MAIL_USERNAME": "",
        "WEBHOOK_LOOPBACK": f"{LOOPBACK}:{ports.webhook_receiver}",
        # Read by a stack that is started with the scanner clamd or defender.
        "CLAMD_ADDRESS": "/run/clamav/clamd.ctl",
        "CLAMD_MAX_STREAM_MIB": "25",
        "SCAN_RESULT_MINUTES": "60",
        "IDENTITY_ENDPOINT": f"{urls['token_issuer']}/msi/token",
        "IDENTITY_HEADER": identity_header,
        # Python's ssl (and aiohttp and httpx) reads the first variable, requests the second.
        "SSL_CERT_FILE": str(authority),
        "REQUESTS_CA_BUNDLE": str(authority),
        "AZURE_CORE_COLLECT_TELEMETRY": "0",
    }


def base_environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of every process: a few inherited variables, unbuffered output."""
    kept = {name: inherited[name] for name in INHERITED if name in inherited}
    return kept | {"PYTHONUNBUFFERED": "1"}
