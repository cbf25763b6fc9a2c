"""Going round the logs: one that fails holds up no other, and a damaged one is looked into."""

import pytest

from shared.accesslog import Finding, LogDamagedError
from shared.accesslog.integrity.rounds import RoundFailedError, publish_all, watch_all
from shared.accesslog.proofs.keys import KeyChangedError
from shared.errors import UnavailableError

TENANTS = [f"t{number}" for number in range(20)]


class Logs:
    """Checkpoints and watch of logs of which some fail."""

    def __init__(self, grown=(), failing=None, findings=()):
        self._findings = findings
        self._grown = grown
        self._failing = failing or {}
        self.published = []
        self.looked_at = []
        self.refusals = []
        self.told = []
        self.keys = []

    async def has_grown(self, tenant):
        return tenant in self._grown

    async def publish(self, tenant):
        if tenant in self._failing:
            raise self._failing[tenant]
        self.published.append(tenant)

    async def verify(self, tenant, *, whole=False):
        if tenant in self._failing and not self._grown:
            raise self._failing[tenant]
        self.looked_at.append((tenant, whole))
        return self._findings

    async def verify_event_key(self, tenant):
        self.keys.append(tenant)

    async def report_unsigned(self, tenant, index):
        self.refusals.append((tenant, index))

    async def report_changed_key(self, version):
        self.told.append(version)


async def tenants():
    for tenant in TENANTS:
        yield tenant


async def test_checkpoints_of_logs_that_have_grown_are_published():
    logs = Logs(grown=TENANTS[::2])
    await publish_all(tenants(), logs, logs)
    assert sorted(logs.published) == sorted(TENANTS[::2])
    assert sorted(logs.keys) == sorted(TENANTS)
    assert logs.looked_at == []


async def test_a_damaged_log_is_looked_into_at_once():
    logs = Logs(grown=TENANTS, failing={"t3": LogDamagedError(5)})
    await publish_all(tenants(), logs, logs)
    assert logs.looked_at == [("t3", False)]
    assert len(logs.published) == len(TENANTS) - 1
    # Nothing was found that would say why nothing is signed any more: that is told itself.
    assert logs.refusals == [("t3", 5)]


async def test_damage_that_the_watch_has_found_is_told_once():
    findings = [Finding(5, 6, "entry-changed", "")]
    logs = Logs(grown=TENANTS, failing={"t3": LogDamagedError(5)}, findings=findings)
    await publish_all(tenants(), logs, logs)
    assert (logs.looked_at, logs.refusals) == ([("t3", False)], [])


async def test_a_key_that_does_not_fit_what_is_kept_of_it_is_told():
    logs = Logs(grown=TENANTS, failing={"t3": KeyChangedError("v1")})
    await publish_all(tenants(), logs, logs)
    assert logs.told == ["v1"]
    assert len(logs.published) == len(TENANTS) - 1


async def test_one_that_fails_holds_up_no_other_and_is_told_in_the_end():
    logs = Logs(grown=TENANTS, failing={"t0": UnavailableError("storage"), "t7": ValueError("x")})
    with pytest.raises(RoundFailedError):
        await publish_all(tenants(), logs, logs)
    assert len(logs.published) == len(TENANTS) - 2


@pytest.mark.parametrize("whole", [False, True])
async def test_every_log_is_watched(whole):
    logs = Logs()
    await watch_all(tenants(), logs, whole=whole)
    assert sorted(logs.looked_at) == sorted((tenant, whole) for tenant in TENANTS)


async def test_a_watch_that_fails_for_one_is_told_in_the_end():
    logs = Logs(failing={"t1": UnavailableError("storage")})
    with pytest.raises(RoundFailedError):
        await watch_all(tenants(), logs, whole=False)
    assert len(logs.looked_at) == len(TENANTS) - 1
