"""The adapter of the tenants' data keys, on vaults of its own, as the app's identity."""

import asyncio
import base64
import itertools
from datetime import UTC, datetime, timedelta

import pytest
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.identity import CredentialUnavailableError
from azure.keyvault.secrets.aio import SecretClient

from infra.local.stack import Stack
from shared.azure.data_keys import KeyVaultDataKeys
from shared.errors import DataKeyError, UnavailableError
from shared.ports import DataKey
from tests.local.keyvault.clients import AsyncPrincipal, refusal

NUMBERS = itertools.count()


class Requests(SansIOHTTPPolicy):
    """Counts what a client asks of the vault."""

    count = 0

    def on_request(self, _request):
        self.count += 1


class Instance(KeyVaultDataKeys):
    """An instance of the app: its adapter, its clock and its requests."""

    def __init__(self, stack, principal="vouchsafe-app", *, url=None, credential=None, **options):
        self.now = 0.0
        self.requests = Requests()
        super().__init__(
            url or stack.settings["DATA_KEY_VAULT_URL"],
            credential or AsyncPrincipal(stack, principal),
            lambda: self.now,
            connection_verify=str(stack.authority),
            per_call_policies=[self.requests],
            **options,
        )

    async def forget(self):
        """Let the kept answers grow old."""
        self.now += 300


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory):
    processes = ["identity", "keyvault", "datakeys"]
    with Stack(tmp_path_factory.mktemp("vaults"), processes=processes) as started:
        yield started


@pytest.fixture
async def instance(own_stack):
    made = Instance(own_stack)
    yield made
    await made.close()


@pytest.fixture
async def other(own_stack):
    made = Instance(own_stack)
    yield made
    await made.close()


@pytest.fixture
async def officer(own_stack):
    url, principal = own_stack.settings["DATA_KEY_VAULT_URL"], "secrets-officer"
    credential = AsyncPrincipal(own_stack, principal)
    async with SecretClient(url, credential, connection_verify=str(own_stack.authority)) as client:
        yield client


@pytest.fixture
def tenant():
    return f"acme-{next(NUMBERS)}"


def new_key():
    return base64.b64encode(bytes(range(32))).decode()


async def reason(asked):
    with pytest.raises(DataKeyError) as refused:
        await asked
    return refused.value.reason


async def test_the_first_question_makes_a_key_that_every_instance_reads(
    instance, other, officer, tenant
):
    made = await instance.newest(tenant)
    assert len(made.key) == 32
    assert await other.newest(tenant) == made
    assert await other.version(tenant, made.version) == made
    stored = await officer.get_secret(f"tenant-{tenant}")
    assert base64.b64decode(stored.value) == made.key
    assert stored.properties.content_type == "AES-256 key, base64"


async def test_tenants_have_keys_of_their_own(instance, tenant):
    assert (await instance.newest(tenant)).key != (await instance.newest(f"{tenant}-b")).key


async def test_what_two_instances_make_at_once_stays_readable(own_stack, tenant):
    instances = [Instance(own_stack) for _ in range(8)]
    made = await asyncio.gather(*(each.newest(tenant) for each in instances))
    for each in instances:
        for key in made:
            assert await each.version(tenant, key.version) == key
        await each.forget()
    # All seal with one version from then on.
    assert len({(await each.newest(tenant)).version for each in instances}) == 1
    for each in instances:
        await each.close()


async def test_simultaneous_questions_are_one_request(instance, tenant):
    keys = await asyncio.gather(*(instance.newest(tenant) for _ in range(100)))
    assert len(set(keys)) == 1
    asked = instance.requests.count
    assert asked == 2  # read, and made
    for _ in range(100):
        await instance.version(tenant, keys[0].version)
    assert instance.requests.count == asked


async def test_a_caller_who_goes_away_takes_no_answer_from_the_rest(instance, tenant):
    first, second = (asyncio.create_task(instance.newest(tenant)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert len((await second).key) == 32
    assert first.cancelled()
    assert instance.requests.count == 2


async def test_a_new_version_seals_and_the_old_version_stays_readable(instance, officer, tenant):
    old = await instance.newest(tenant)
    made = await officer.set_secret(f"tenant-{tenant}", new_key())
    assert await instance.newest(tenant) == old
    await instance.forget()
    assert (await instance.newest(tenant)).version == made.properties.version
    assert await instance.version(tenant, old.version) == old


@pytest.mark.parametrize(
    "change",
    [
        {"enabled": False},
        {"expires_on": datetime.now(UTC) - timedelta(days=1)},
        {"not_before": datetime.now(UTC) + timedelta(days=1)},
    ],
)
async def test_an_older_version_seals_where_the_newest_is_not_in_force(
    instance, officer, tenant, change
):
    old = await instance.newest(tenant)
    await officer.set_secret(f"tenant-{tenant}", new_key(), **change)
    await instance.forget()
    assert await instance.newest(tenant) == old


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"enabled": False}, "disabled"),
        ({"expires_on": datetime.now(UTC) - timedelta(days=1)}, "not-in-force"),
        ({"not_before": datetime.now(UTC) + timedelta(days=1)}, "not-in-force"),
    ],
)
async def test_a_key_that_is_not_in_force_is_refused_and_can_be_mended(
    instance, officer, tenant, change, expected
):
    made = await instance.newest(tenant)
    name = f"tenant-{tenant}"
    await officer.update_secret_properties(name, made.version, **change)
    await instance.forget()
    assert await reason(instance.newest(tenant)) == expected
    assert await reason(instance.version(tenant, made.version)) == expected
    mended = {"enabled": True, "expires_on": datetime(2100, 1, 1, tzinfo=UTC)}
    mended["not_before"] = datetime(2000, 1, 1, tzinfo=UTC)
    await officer.update_secret_properties(name, made.version, **mended)
    await instance.forget()
    assert await instance.newest(tenant) == made
    assert await instance.version(tenant, made.version) == made


async def test_a_destroyed_key_is_refused_everywhere_and_made_by_nobody(
    instance, other, officer, tenant
):
    made = await instance.newest(tenant)
    await other.newest(tenant)
    ends = await instance.destroy(tenant)
    assert ends > datetime.now(UTC) + timedelta(days=6)
    # A second call tells the same day.
    assert await other.destroy(tenant) == ends
    for each in (instance, other):
        assert await reason(each.version(tenant, made.version)) == "destroyed"
        assert await reason(each.newest(tenant)) == "destroyed"
    await officer.recover_deleted_secret(f"tenant-{tenant}")
    await instance.forget()
    assert await instance.version(tenant, made.version) == made


async def test_a_purged_key_never_comes_back(instance, officer, tenant):
    made = await instance.newest(tenant)
    await instance.destroy(tenant)
    await officer.purge_deleted_secret(f"tenant-{tenant}")
    assert await reason(instance.version(tenant, made.version)) == "destroyed"
    # For Key Vault the tenant is as new.
    anew = await instance.newest(tenant)
    assert anew.key != made.key
    assert await reason(instance.version(tenant, made.version)) == "destroyed"


async def test_the_destruction_of_no_key_is_no_error(instance, tenant):
    assert await instance.destroy(tenant) is None


@pytest.mark.parametrize(
    "version",
    ["", "0" * 32, "0" * 31, "0" * 33, "0" * 32 + "\n", "../" * 10 + "ab", "é" * 32, "x" * 5000],
)
async def test_a_version_that_never_was_is_refused(instance, tenant, version):
    await instance.newest(tenant)
    assert await reason(instance.version(tenant, version)) == "destroyed"


@pytest.mark.parametrize(
    "value",
    [
        base64.b64encode(bytes(31)).decode(),
        base64.b64encode(bytes(33)).decode(),
        base64.b64encode(bytes(16)).decode(),
        base64.b64encode(bytes(32)).decode() + "\n",
        base64.b64encode(bytes(32)).decode()[:-1],
        "",
        "not base64 at all",
        "é" * 44,
    ],
)
async def test_a_key_of_another_length_is_refused(instance, officer, tenant, value):
    made = await officer.set_secret(f"tenant-{tenant}", value)
    assert await reason(instance.newest(tenant)) == "malformed"
    assert await reason(instance.version(tenant, made.properties.version)) == "malformed"


async def test_a_refusal_is_kept_like_a_key(instance, tenant):
    await instance.destroy(tenant)
    made = await instance.newest(tenant)
    await instance.destroy(tenant)
    asked = instance.requests.count
    for _ in range(100):
        assert await reason(instance.version(tenant, made.version)) == "destroyed"
    assert instance.requests.count == asked + 1


async def test_the_answers_that_are_kept_are_bounded(instance, tenant, monkeypatch):
    monkeypatch.setattr("shared.azure.data_keys._KEEP_ANSWERS", 4)
    for number in range(6):
        await instance.newest(f"{tenant}-{number}")
    assert len(instance._kept) == 4


async def test_a_vault_that_does_not_answer_is_unavailable(own_stack, tenant):
    down = Instance(own_stack, retry_total=0)
    made = await down.newest(tenant)
    await asyncio.to_thread(own_stack.kill, "datakeys")
    try:
        # What was read goes on being read.
        assert await down.version(tenant, made.version) == made
        await down.forget()
        for asked in (
            down.newest(tenant),
            down.version(tenant, made.version),
            down.destroy(tenant),
            down.ping(),
        ):
            with pytest.raises(UnavailableError, match="data-key-vault"):
                await asked
    finally:
        await asyncio.to_thread(own_stack.start_process, "datakeys")
    await down.ping()
    assert await down.version(tenant, made.version) == made
    await down.close()


@pytest.mark.parametrize("principal", ["nobody", "secrets-user"])
async def test_an_app_without_its_role_waits_for_the_operator(own_stack, tenant, principal):
    """A missing role is no destroyed key."""
    refused = Instance(own_stack, principal)
    for asked in (refused.newest(tenant), refused.destroy(tenant)):
        with pytest.raises(UnavailableError, match="data-key-vault"):
            await asked
    if principal == "nobody":
        with pytest.raises(UnavailableError, match="data-key-vault"):
            await refused.ping()
    await refused.close()


class NoIdentity:
    """A managed identity whose endpoint does not answer."""

    async def get_token(self, *_scopes, **_options):
        raise CredentialUnavailableError("no identity")

    async def close(self):
        return


@pytest.mark.parametrize("fault", ["a wrong address", "no identity", "another vault"])
async def test_a_fault_of_the_stamp_is_no_destroyed_key(own_stack, tenant, fault):
    """None of the tenants' keys is destroyed, so the work waits for an operator."""
    wrong = {
        "a wrong address": {"url": own_stack.settings["DATA_KEY_VAULT_URL"] + "/elsewhere"},
        "no identity": {"credential": NoIdentity()},
        "another vault": {"url": own_stack.settings["KEY_VAULT_URL"]},
    }
    refused = Instance(own_stack, **wrong[fault])
    for asked in (refused.newest(tenant), refused.destroy(tenant)):
        with pytest.raises(UnavailableError, match="data-key-vault"):
            await asked
    await refused.close()


async def test_the_app_may_write_to_the_vault_of_the_data_keys_alone(own_stack):
    url = own_stack.settings["KEY_VAULT_URL"]
    credential = AsyncPrincipal(own_stack, "vouchsafe-app")
    trusted = str(own_stack.authority)
    async with SecretClient(url, credential, connection_verify=trusted) as client:
        assert (await client.get_secret("log-signing-key")).value
        for change in (
            client.set_secret("log-signing-key", "mine"),
            client.delete_secret("log-signing-key"),
            client.update_secret_properties("log-signing-key", enabled=False),
        ):
            with pytest.raises(HttpResponseError) as refused:
                await change
            assert refusal(refused.value) == (403, "Forbidden", "ForbiddenByRbac")


def test_a_key_shows_itself_in_no_log():
    assert "secret" not in repr(DataKey(b"secret" * 6, "1"))
    assert "secret" not in str([DataKey(b"secret" * 6, "1")])
