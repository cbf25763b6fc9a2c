"""Secrets and their versions, through the SDK's sync and async clients.

Key Vault REST API reference: Set Secret, Get Secret, Update Secret, Get Secrets, Get Secret
Versions (learn.microsoft.com/rest/api/keyvault/secrets).
"""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from infra.local.keyvault.store import SecretStore
from tests.local.keyvault.clients import Secrets, refusal

LONG_AGO = datetime(2015, 2, 2, 8, tzinfo=UTC)
FAR_AHEAD = datetime(2150, 2, 2, 8, tzinfo=UTC)


async def test_a_secret_comes_back_as_it_was_set(secrets: Secrets, name: str) -> None:
    made = await secrets.call(
        "set_secret",
        name,
        "blå \U0001f511",
        content_type="text/plain",
        tags={"owner": "vouchsafe"},
        enabled=True,
        not_before=LONG_AGO,
        expires_on=FAR_AHEAD,
    )
    for found in (
        made,
        await secrets.call("get_secret", name),
        await secrets.call("get_secret", name, made.properties.version),
    ):
        assert (found.name, found.value) == (name, "blå \U0001f511")
        assert found.id == f"{secrets.client.vault_url}/secrets/{name}/{made.properties.version}"
        assert found.properties.content_type == "text/plain"
        assert found.properties.tags == {"owner": "vouchsafe"}
        assert found.properties.enabled is True
        assert (found.properties.not_before, found.properties.expires_on) == (LONG_AGO, FAR_AHEAD)
        assert found.properties.created_on == found.properties.updated_on
        assert found.properties.recovery_level == "Recoverable+Purgeable"
        assert found.properties.recoverable_days == 90


async def test_setting_again_makes_a_new_version_and_keeps_the_old(
    secrets: Secrets, name: str
) -> None:
    first = await secrets.call("set_secret", name, "one")
    second = await secrets.call("set_secret", name, "two")
    assert (await secrets.call("get_secret", name)).value == "two"
    assert (await secrets.call("get_secret", name, first.properties.version)).value == "one"
    listed = await secrets.listed("list_properties_of_secret_versions", name)
    # The order of the versions does not tell their age.
    assert [each.version for each in listed] == sorted(
        [first.properties.version, second.properties.version]
    )


async def test_the_case_of_a_name_does_not_count(secrets: Secrets, name: str) -> None:
    """Azure Key Vault keys, secrets, and certificates overview: object identifiers."""
    await secrets.call("set_secret", name, "one")
    await secrets.call("set_secret", name.upper(), "two")
    assert (await secrets.call("get_secret", name)).value == "two"
    assert len(await secrets.listed("list_properties_of_secret_versions", name.title())) == 2


async def test_an_update_changes_what_it_names_and_leaves_the_rest(
    secrets: Secrets, name: str
) -> None:
    """Update Secret: attributes that are not specified in the request are left unchanged."""
    old = await secrets.call("set_secret", name, "one", content_type="a", tags={"k": "1"})
    await secrets.call("set_secret", name, "two")
    version = old.properties.version
    updated = await secrets.call(
        "update_secret_properties", name, version, content_type="b", not_before=LONG_AGO
    )
    assert (updated.id, updated.content_type) == (old.id, "b")
    assert (updated.tags, updated.enabled) == ({"k": "1"}, True)
    await secrets.call(
        "update_secret_properties", name, version, tags={"k": "2"}, expires_on=FAR_AHEAD
    )
    found = await secrets.call("get_secret", name, version)
    assert (found.value, found.properties.content_type) == ("one", "b")
    assert found.properties.tags == {"k": "2"}
    assert (found.properties.not_before, found.properties.expires_on) == (LONG_AGO, FAR_AHEAD)
    assert found.properties.created_on == old.properties.created_on
    assert (await secrets.call("get_secret", name)).properties.content_type is None


async def test_an_update_without_a_version_is_of_the_current_one(
    secrets: Secrets, name: str
) -> None:
    await secrets.call("set_secret", name, "one")
    current = await secrets.call("set_secret", name, "two")
    updated = await secrets.call("update_secret_properties", name, tags={"a": "b"})
    assert (updated.version, updated.tags) == (current.properties.version, {"a": "b"})


def test_an_update_is_dated(tmp_path: Path) -> None:
    """About Azure Key Vault secrets: the `created` and `updated` attributes."""
    now = [1_000_000.0]
    store = SecretStore(tmp_path / "secrets.json", clock=lambda: now[0])
    _, version = store.add("a", "1")
    now[0] += 5
    store.update(version, attributes={"enabled": False})
    kept = SecretStore(tmp_path / "secrets.json").get("a")
    assert kept is not None
    dates = {name: kept.current["attributes"][name] for name in ("created", "updated")}
    assert dates == {"created": 1_000_000, "updated": 1_000_005}


async def test_a_disabled_secret_is_listed_and_not_handed_out_until_enabled(
    secrets: Secrets, name: str
) -> None:
    """About Azure Key Vault secrets: `enabled` specifies whether the data can be retrieved."""
    made = await secrets.call("set_secret", name, "one", enabled=False)
    assert made.properties.enabled is False
    for version in (None, made.properties.version):
        with pytest.raises(HttpResponseError) as refused:
            await secrets.call("get_secret", name, version)
        assert refusal(refused.value) == (403, "Forbidden", "SecretDisabled")
    (listed,) = await secrets.listed("list_properties_of_secret_versions", name)
    assert listed.enabled is False
    await secrets.call("update_secret_properties", name, enabled=True)
    assert (await secrets.call("get_secret", name)).value == "one"


@pytest.mark.parametrize("window", [{"expires_on": LONG_AGO}, {"not_before": FAR_AHEAD}])
async def test_a_secret_outside_its_window_is_handed_out(
    secrets: Secrets, name: str, window: dict[str, datetime]
) -> None:
    """About Azure Key Vault secrets, date-time controlled operations.

    "A secret's get operation will work for not-yet-valid and expired secrets": the reader has to
    check the validity period.
    """
    await secrets.call("set_secret", name, "one", **window)
    found = await secrets.call("get_secret", name)
    assert found.value == "one"
    assert {key: getattr(found.properties, key) for key in window} == window


@pytest.mark.parametrize("size", [1, 3, 25, None])
async def test_versions_come_in_pages(secrets: Secrets, name: str, size: int | None) -> None:
    """Get Secret Versions: maxresults; 25 results in a page by default."""
    if not await secrets.listed("list_properties_of_secret_versions", name):
        for number in range(27):
            await secrets.call("set_secret", name, str(number))
    options = {} if size is None else {"max_page_size": size}
    pages = await secrets.pages("list_properties_of_secret_versions", name, **options)
    full = size or 25
    assert [len(page) for page in pages] == [full] * (27 // full) + [27 % full] * bool(27 % full)
    assert len({item.version for page in pages for item in page}) == 27


async def test_secrets_are_listed_in_pages_once_each_without_their_values(
    secrets: Secrets, name: str
) -> None:
    """Get Secrets: the base identifier and attributes only; versions are not listed."""
    for number in range(3):
        await secrets.call("set_secret", f"{name}-{number}", "one", content_type="t")
        await secrets.call("set_secret", f"{name}-{number}", "two", tags={"n": str(number)})
    listed = await secrets.listed("list_properties_of_secrets", max_page_size=2)
    ours = [item for item in listed if item.name.startswith(name)]
    assert [item.name for item in ours] == [f"{name}-{number}" for number in range(3)]
    assert [item.version for item in ours] == [None] * 3
    assert [item.tags for item in ours] == [{"n": str(number)} for number in range(3)]
    assert len({item.name for item in listed}) == len(listed)


async def test_what_is_not_there_is_not_found(secrets: Secrets, name: str) -> None:
    await secrets.call("set_secret", name, "one")
    for operation, arguments in (
        ("get_secret", (f"{name}-not",)),
        ("get_secret", (name, "0" * 32)),
        ("update_secret_properties", (f"{name}-not",)),
        ("backup_secret", (f"{name}-not",)),
        ("get_deleted_secret", (name,)),
        ("purge_deleted_secret", (name,)),
    ):
        with pytest.raises(ResourceNotFoundError) as refused:
            await secrets.call(operation, *arguments)
        assert refusal(refused.value) == (404, "SecretNotFound", None)
    assert await secrets.listed("list_properties_of_secret_versions", f"{name}-not") == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"value": "x" * (25 * 1024 + 1)}, "value"),
        ({"name": "under_score"}, "name"),
        ({"name": "a" * 128}, "name"),
        ({"content_type": "x" * 256}, "contentType"),
        ({"tags": {str(number): "" for number in range(16)}}, "tags"),
        ({"tags": {"a": "x" * 513}}, "tag"),
    ],
)
async def test_the_limits_of_a_secret_hold(
    secrets: Secrets, name: str, change: dict, named: str
) -> None:
    """About Azure Key Vault secrets: 25 KB, contentType 255 characters, 15 tags of 512."""
    given = {"name": name, "value": "x" * (25 * 1024), "content_type": "x" * 255} | change
    with pytest.raises(HttpResponseError, match=named) as refused:
        await secrets.call("set_secret", **given)
    assert refusal(refused.value) == (400, "BadParameter", None)
    within = given | {"name": name, "value": "x" * (25 * 1024), "content_type": "x" * 255}
    tags = {f"{number:0512}": "x" * 512 for number in range(15)}
    assert (await secrets.call("set_secret", **within | {"tags": tags})).properties.tags == tags
