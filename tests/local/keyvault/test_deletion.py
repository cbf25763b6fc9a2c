"""Soft delete, recovery, purge, backup and restore, through both of the SDK's clients.

"Azure Key Vault soft-delete overview", "Azure Key Vault backup and restore" (learn.microsoft.com);
Key Vault REST API reference: Delete Secret, Get Deleted Secret(s), Recover Deleted Secret, Purge
Deleted Secret, Backup Secret, Restore Secret.
"""

from datetime import timedelta
from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from infra.local.keyvault.store import RETENTION_DAYS, SecretStore
from tests.local.keyvault.clients import Secrets, refusal


async def test_a_deleted_secret_is_gone_until_it_is_recovered(secrets: Secrets, name: str) -> None:
    await secrets.call("set_secret", name, "one")
    made = await secrets.call("set_secret", name, "two", tags={"a": "b"})
    deleted = await secrets.delete(name)
    assert deleted.name == name
    assert deleted.recovery_id == f"{secrets.client.vault_url}/deletedsecrets/{name}"
    assert deleted.scheduled_purge_date - deleted.deleted_date == timedelta(days=90)

    with pytest.raises(ResourceNotFoundError):
        await secrets.call("get_secret", name)
    with pytest.raises(ResourceNotFoundError):
        await secrets.delete(name)
    live = await secrets.listed("list_properties_of_secrets")
    assert name not in [item.name for item in live]
    assert await secrets.listed("list_properties_of_secret_versions", name) == []
    found = await secrets.call("get_deleted_secret", name)
    assert (found.id, found.properties.tags) == (made.id, {"a": "b"})
    listed = await secrets.listed("list_deleted_secrets", max_page_size=1)
    (ours,) = [item for item in listed if item.name == name]
    assert ours.deleted_date == deleted.deleted_date

    recovered = await secrets.recover(name)
    assert recovered.id == made.id
    again = await secrets.call("get_secret", name)
    assert (again.value, again.properties.created_on) == ("two", made.properties.created_on)
    assert len(await secrets.listed("list_properties_of_secret_versions", name)) == 2
    with pytest.raises(ResourceNotFoundError):
        await secrets.recover(name)


async def test_the_name_of_a_deleted_secret_is_taken_until_it_is_purged(
    secrets: Secrets, name: str
) -> None:
    await secrets.call("set_secret", name, "one")
    await secrets.delete(name)
    with pytest.raises(ResourceExistsError) as refused:
        await secrets.call("set_secret", name, "two")
    assert refusal(refused.value) == (409, "Conflict", "ObjectIsDeletedButRecoverable")
    await secrets.call("purge_deleted_secret", name)
    with pytest.raises(ResourceNotFoundError):
        await secrets.call("get_deleted_secret", name)
    await secrets.call("set_secret", name, "two")
    assert len(await secrets.listed("list_properties_of_secret_versions", name)) == 1


async def test_a_backup_restores_every_version_once_the_name_is_free(
    secrets: Secrets, name: str
) -> None:
    first = await secrets.call("set_secret", name, "a-plain-value")
    second = await secrets.call("set_secret", name, "two", content_type="text/plain")
    backup = await secrets.call("backup_secret", name)
    assert b"a-plain-value" not in backup

    with pytest.raises(ResourceExistsError) as refused:
        await secrets.call("restore_secret_backup", backup)
    assert refusal(refused.value) == (409, "Conflict", None)
    await secrets.delete(name)
    with pytest.raises(ResourceExistsError) as refused:
        await secrets.call("restore_secret_backup", backup)
    assert refusal(refused.value) == (409, "Conflict", "ObjectIsDeletedButRecoverable")

    await secrets.call("purge_deleted_secret", name)
    restored = await secrets.call("restore_secret_backup", backup)
    assert (restored.id, restored.content_type) == (second.id, "text/plain")
    assert restored.created_on == second.properties.created_on
    found = await secrets.call("get_secret", name, first.properties.version)
    assert found.value == "a-plain-value"


async def test_only_a_backup_is_restored(secrets: Secrets) -> None:
    with pytest.raises(HttpResponseError, match="backup") as refused:
        await secrets.call("restore_secret_backup", b"anything")
    assert refusal(refused.value) == (400, "BadParameter", None)


def test_a_deleted_secret_is_gone_for_good_when_its_retention_has_passed(tmp_path: Path) -> None:
    now = [1_000_000.0]
    store = SecretStore(tmp_path / "secrets.json", clock=lambda: now[0])
    secret, _ = store.add("a", "1")
    store.delete(secret)
    now[0] += RETENTION_DAYS * 24 * 3600 - 1
    assert store.get_deleted("a") is secret
    now[0] += 1
    assert store.get_deleted("a") is None
    assert '"a"' not in (tmp_path / "secrets.json").read_text()


def test_a_declared_secret_that_was_deleted_is_not_made_again(tmp_path: Path) -> None:
    declared = tmp_path / "declared.json"
    declared.write_text('[{"name": "a", "value": "random-base64"}]')
    store = SecretStore(tmp_path / "secrets.json")
    store.seed(declared)
    made = store.get("a")
    assert made is not None
    store.delete(made)
    again = SecretStore(tmp_path / "secrets.json")
    again.seed(declared)
    assert again.get("a") is None
    assert again.get_deleted("a") == made
