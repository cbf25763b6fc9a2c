"""The app's settings: read once, and every fault named at once."""

from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from shared.settings import Settings, SettingsError, read_settings

ROOT = Path(__file__).parents[1]


@pytest.fixture
def environment(tmp_path):
    file = tmp_path / "file.json"
    file.write_text("{}")
    return {
        "DAM_STORAGE": "AccountName=a;AccountKey=Yg==;BlobEndpoint=http://127.0.0.1:1/a",
        "SERVICE_BUS": "Endpoint=sb://localhost;SharedAccessKeyName=a;SharedAccessKey=b",
        "KEY_VAULT_URL": "https://vault.example",
        "DATA_KEY_VAULT_URL": "https://data-keys.example",
        "STAMP_REGION": "westeurope",
        "TOKEN_ISSUER": "https://issuer.example/v2.0",
        "TOKEN_AUDIENCE": "api://vouchsafe",
        "LOG_ORIGIN": "vouchsafe.example/westeurope/api",
        "UPLOAD_SIZE_LIMIT": "1024",
        "BLOB_TRIGGER_SOURCE": "EventGrid",
        "BACKUP_EXPECTATIONS_FILE": str(file),
        "ARM_ENDPOINT": "https://management.azure.com",
        "RECOVERY_SUBSCRIPTION_ID": "0b1f6471-1bf0-4dda-aec3-cb9272f09590",
        "RECOVERY_RESOURCE_GROUP": "backups-(westeurope)_1",
        "SCANNER": "yara-x",
        "SIGNATURE_MAX_AGE_DAYS": "30",
        "RESCAN_BYTES_A_DAY": "0",
        "MAIL_SERVER": "mail.example:587",
        "MAIL_SENDER": "notices@vouchsafe.example",
    }


@pytest.mark.parametrize("address", ["10.0.0.4:3310", "clamd:3310", "[::1]:3310", "/run/clamd.ctl"])
def test_addresses_of_clamd(environment, address):
    settings = read_settings(environment | {"CLAMD_ADDRESS": address})
    assert address == settings.CLAMD_ADDRESS


@pytest.mark.parametrize("name", ["g", "g" * 90, "Größe.1", ".g"])
def test_names_of_resource_groups(environment, name):
    settings = read_settings(environment | {"RECOVERY_RESOURCE_GROUP": name})
    assert name == settings.RECOVERY_RESOURCE_GROUP


def test_settings_are_read(environment):
    settings = read_settings(environment)
    assert settings.SIGNATURE_MAX_AGE_DAYS == 30
    assert settings.STAMP_REGION == "westeurope"
    assert isinstance(settings.BACKUP_EXPECTATIONS_FILE, Path)
    assert settings.UPLOAD_SIZE_LIMIT == 1024


def test_every_missing_setting_is_named_in_a_line_of_its_own():
    with pytest.raises(SettingsError) as refused:
        read_settings({})
    lines = str(refused.value).splitlines()[1:]
    needed = [field.name for field in fields(Settings) if field.default is MISSING]
    assert [line.split()[0] for line in lines] == needed


@pytest.mark.parametrize(
    ("scanner", "needed"),
    [
        ("yara-x", {}),
        ("clamd", {"CLAMD_ADDRESS": "clamd:3310", "CLAMD_MAX_STREAM_MIB": "100"}),
        ("defender", {"SCAN_RESULT_MINUTES": "60"}),
        ("yara-x,clamd", {"CLAMD_ADDRESS": "clamd:3310", "CLAMD_MAX_STREAM_MIB": "100"}),
        (" defender , yara-x ", {"SCAN_RESULT_MINUTES": "60"}),
    ],
)
def test_a_scanner_needs_its_own_settings(environment, scanner, needed):
    chosen = environment | {"SCANNER": scanner}
    settings = read_settings(chosen | needed)
    assert {name: str(getattr(settings, name)) for name in needed} == needed
    assert settings.scanners == tuple(name.strip() for name in scanner.split(","))
    if needed:
        with pytest.raises(SettingsError) as refused:
            read_settings(chosen)
        lines = str(refused.value).splitlines()[1:]
        assert [line.split()[0] for line in lines] == list(needed)


def test_reminders_are_hours_and_a_notice_is_five_days_where_not_set(environment):
    settings = read_settings(environment)
    assert (settings.MAINTENANCE_NOTICE_HOURS, settings.maintenance_reminders) == (120, (24, 1))
    settings = read_settings(environment | {"MAINTENANCE_REMINDER_HOURS": "72, 24"})
    assert settings.maintenance_reminders == (72, 24)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DAM_STORAGE", "AccountName=a"),
        ("DAM_STORAGE", "nonsense"),
        ("DAM_STORAGE", "AccountName=secret;AccountKey=not base64!"),
        ("SERVICE_BUS", "Endpoint=nonsense;SharedAccessKeyName=secret;SharedAccessKey=b"),
        ("SERVICE_BUS", "Endpoint=sb://localhost"),
        ("KEY_VAULT_URL", "http://vault.example"),
        ("KEY_VAULT_URL", "vault"),
        ("KEY_VAULT_URL", "https://[secret"),
        ("DATA_KEY_VAULT_URL", "http://data-keys.example"),
        ("DATA_KEY_VAULT_URL", "https://vault.example"),
        ("DATA_KEY_VAULT_URL", "https://VAULT.example:443/"),
        ("TOKEN_ISSUER", "http://secret:b:c"),
        ("STAMP_REGION", "West Europe"),
        ("TOKEN_ISSUER", "issuer"),
        ("TOKEN_AUDIENCE", "  "),
        ("LOG_ORIGIN", "https://secret.example"),
        ("LOG_ORIGIN", "secret.example/api/"),
        ("LOG_ORIGIN", "secret example"),
        ("LOG_ORIGIN", "secret+example"),
        ("UPLOAD_SIZE_LIMIT", "0"),
        ("UPLOAD_SIZE_LIMIT", "-1"),
        ("UPLOAD_SIZE_LIMIT", "1e9"),
        ("UPLOAD_SIZE_LIMIT", "100 GiB"),
        ("UPLOAD_SIZE_LIMIT", "209715200000001"),
        ("BLOB_TRIGGER_SOURCE", "eventgrid"),
        ("BACKUP_EXPECTATIONS_FILE", "/nowhere/at/all.json"),
        ("ARM_ENDPOINT", "http://secret.example"),
        ("ARM_ENDPOINT", "management.azure.com"),
        ("RECOVERY_SUBSCRIPTION_ID", "secret"),
        ("RECOVERY_SUBSCRIPTION_ID", "0b1f64711bf04ddaaec3cb9272f09590"),
        ("RECOVERY_SUBSCRIPTION_ID", "0b1f6471-1bf0-4dda-aec3-cb9272f09590-1"),
        ("RECOVERY_RESOURCE_GROUP", "secret."),
        ("RECOVERY_RESOURCE_GROUP", "secret/vaults"),
        ("RECOVERY_RESOURCE_GROUP", "g" * 91),
        ("SCANNER", "nonsense"),
        ("SCANNER", "yara-x,nonsense"),
        ("SCANNER", "yara-x,yara-x"),
        ("SCANNER", "yara-x, yara-x"),
        ("SCANNER", "yara-x,"),
        ("SCANNER", ",yara-x"),
        ("SCANNER", "yara-x clamd"),
        ("SCANNER", "YARA-X"),
        ("SIGNATURE_MAX_AGE_DAYS", "0"),
        ("SIGNATURE_MAX_AGE_DAYS", "1.5"),
        ("SIGNATURE_MAX_AGE_DAYS", "9" * 5000),
        ("RESCAN_BYTES_A_DAY", "-1"),
        ("RESCAN_BYTES_A_DAY", "1e9"),
        ("RESCAN_BYTES_A_DAY", "1 TiB"),
        ("RESCAN_BYTES_A_DAY", "9" * 19),
        ("CLAMD_ADDRESS", "secret"),
        ("CLAMD_ADDRESS", "secret:70000"),
        ("CLAMD_ADDRESS", ":3310"),
        ("CLAMD_MAX_STREAM_MIB", "4096"),
        ("SCAN_RESULT_MINUTES", "-1"),
        ("MAINTENANCE_NOTICE_HOURS", "0"),
        ("MAINTENANCE_NOTICE_HOURS", "5 days"),
        ("MAINTENANCE_REMINDER_HOURS", "24,,1"),
        ("MAINTENANCE_REMINDER_HOURS", "24,24"),
        ("MAINTENANCE_REMINDER_HOURS", "24;1"),
        ("MAINTENANCE_REMINDER_HOURS", "0"),
        ("MAINTENANCE_REMINDER_HOURS", ",".join(map(str, range(1, 12)))),
    ],
)
def test_a_wrong_setting_is_named_and_its_value_is_not(environment, name, value):
    with pytest.raises(SettingsError) as refused:
        read_settings(environment | {name: value})
    lines = str(refused.value).splitlines()[1:]
    assert len(lines) == 1
    assert lines[0].split()[0] == name
    assert not [part for part in ("AccountName=a", "nonsense", "secret") if part in lines[0]]


def test_two_wrong_settings_are_reported_together(environment):
    with pytest.raises(SettingsError) as refused:
        read_settings(environment | {"STAMP_REGION": "x", "TOKEN_ISSUER": "x"})
    assert len(str(refused.value).splitlines()) == 3


def test_a_relative_path_is_below_the_folder_of_the_app(environment, tmp_path, monkeypatch):
    """On Flex Consumption the worker imports the app from another working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "host.json").write_text("{}")
    relative = {"BACKUP_EXPECTATIONS_FILE": "host.json"}
    assert read_settings(environment | relative).BACKUP_EXPECTATIONS_FILE == ROOT / "host.json"
    (tmp_path / "only-here.json").write_text("{}")
    with pytest.raises(SettingsError, match="BACKUP_EXPECTATIONS_FILE names a file"):
        read_settings(environment | {"BACKUP_EXPECTATIONS_FILE": "only-here.json"})
