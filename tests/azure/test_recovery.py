"""The adapter of recovery vaults on the stand-in, with nothing but the app's settings."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType

import pytest
import uvicorn
from starlette.responses import JSONResponse

from infra.local.certificates import Certificates
from infra.local.keyvault.bearer import BearerTokens
from infra.local.ports import LOOPBACK
from infra.local.recovery.app import PAGE_SIZE, BackupJobs, create_app
from infra.local.recovery.scenario import ScenarioFile
from infra.local.settings import RESOURCE_GROUP, ROOT, SUBSCRIPTION
from infra.local.stack import Stack

NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """The issuer; the stand-in runs in this process, on a clock of the tests."""
    with Stack(tmp_path_factory.mktemp("issuer"), processes=["identity"]) as started:
        yield started


class ChangedJobs(BackupJobs):
    """The operation on the vault `v` with changed `properties`, or with a page `instead`."""

    instead: object = None
    properties: Mapping[str, object] = MappingProxyType({})

    async def list_jobs(self, request):
        answer = await super().list_jobs(request)
        page = json.loads(answer.body)
        if request.path_params["vault"] != "v":
            return answer
        if self.instead is not None:
            return JSONResponse(self.instead)
        for listed in page["value"]:
            listed["properties"] |= self.properties
        return JSONResponse(page)


class Vaults:
    """The stand-in on a scenario and a clock of its own."""

    def __init__(self, stack, scenario):
        self.now = NOW
        self.stack = stack
        self.scenario = scenario
        endpoint = stack.settings["ARM_ENDPOINT"]
        file = ScenarioFile(scenario)
        self.jobs = ChangedJobs(endpoint, SUBSCRIPTION, RESOURCE_GROUP, file, lambda: self.now)
        certificates = Certificates.within(stack.directory / "tls")
        self.server = uvicorn.Server(
            uvicorn.Config(
                create_app(self.jobs, BearerTokens(stack.settings["TOKEN_ISSUER"], endpoint)),
                host=LOOPBACK,
                port=stack.ports.resource_manager,
                ssl_certfile=certificates.server,
                ssl_keyfile=certificates.server_key,
                log_level="warning",
                timeout_graceful_shutdown=1,
            )
        )
        self.thread = threading.Thread(target=self.server.run)

    def __enter__(self):
        self.thread.start()
        while not self.server.started:
            assert self.thread.is_alive()
            time.sleep(0.01)
        return self

    def __exit__(self, *_):
        self.server.should_exit = True
        self.thread.join()

    def report(self, *jobs, **faults):
        """Let the vault `v` report jobs, and vaults fail: see `infra.local.recovery.scenario`."""
        self.scenario.write_text(json.dumps({"vaults": {"v": jobs}, "faults": faults}))

    def read(self, since, until, *names, **environment):
        """What the adapter reads of each vault."""
        return read(self.stack, since, until, *names, **environment)

    def items(self, since, until):
        """The items of the jobs of the vault `v`."""
        return [job[0] for job in self.read(since, until, "v")["v"]]


def read(stack, since, until, *names, **environment):
    moments = (since.isoformat(), until.isoformat())
    done = subprocess.run(
        [sys.executable, "-m", "tests.azure.read_jobs", *moments, *names],
        env=stack.settings | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def vaults(stack, tmp_path):
    with Vaults(stack, tmp_path / "scenario.json") as running:
        yield running


def job(item, started, ended=None, status="Completed", operation="Backup"):
    """A job that started and ended so many hours before the clock."""
    listed = {"item": item, "status": status, "operation": operation, "startedHoursAgo": started}
    return listed if ended is None else listed | {"endedHoursAgo": ended}


def test_a_job_is_read_as_the_vault_reports_it(vaults):
    vaults.report(
        job("films", 3, 2.5),
        job("photos", 1, status="InProgress"),
        job("books", 1, 0.5, status="Evaporated"),
        job("films", 2, 1, operation="Restore"),
    )
    day = timedelta(days=1)
    assert vaults.read(NOW - day, NOW, "v")["v"] == [
        ["films", "Completed", "2026-11-23T03:00:00+00:00", "2026-11-23T03:30:00+00:00"],
        ["photos", "InProgress", "2026-11-23T05:00:00+00:00", None],
        # A status that no documentation lists.
        ["books", "Evaporated", "2026-11-23T05:00:00+00:00", "2026-11-23T05:30:00+00:00"],
    ]


def test_jobs_of_every_page_are_read(vaults):
    items = [f"item-{number}" for number in range(3 * PAGE_SIZE - 1)]
    vaults.report(*(job(item, 3, 2) for item in items))
    assert vaults.items(NOW - timedelta(days=1), NOW) == items


SECOND = 1 / 3600


@pytest.mark.parametrize(
    ("moment", "taken"),
    [
        # Ends at `since`, four hours ago.
        (job("x", 5, 4), True),
        (job("x", 5, 4 + 0.1 * SECOND), False),
        (job("x", 4, 4), True),
        # Starts at `until`, an hour ago.
        (job("x", 1, 0.5), False),
        (job("x", 1), False),
        (job("x", 1 + 0.1 * SECOND, 0.5), True),
        # Runs, or ran, all the time.
        (job("x", 6, 0.5), True),
        (job("x", 40), True),
        (job("x", 40, 3), True),
    ],
)
def test_a_range_has_its_start_and_not_its_end(vaults, moment, taken):
    vaults.report(moment)
    since, until = NOW - timedelta(hours=4), NOW - timedelta(hours=1)
    assert vaults.items(since, until) == (["x"] if taken else [])


def test_ends_within_a_second_are_kept(vaults):
    """The service's filter knows whole seconds alone."""
    vaults.report(
        job("before", 4, 2 + 0.6 * SECOND),
        job("first", 4, 2 + 0.4 * SECOND),
        job("last", 1 + 0.6 * SECOND),
        job("after", 1 + 0.4 * SECOND),
    )
    half = timedelta(seconds=0.5)
    since, until = NOW - timedelta(hours=2) - half, NOW - timedelta(hours=1) - half
    assert vaults.items(since, until) == ["first", "last"]


@pytest.mark.parametrize("at", ["00:20", "11:50", "12:20", "23:50"])
def test_both_halves_of_a_day_are_told_apart(vaults, at):
    """The service's filter has a clock of twelve hours; here it is asked in another zone."""
    vaults.now = datetime.fromisoformat(f"2026-11-23T{at}Z")
    vaults.report(job("in time", 0.25), job("after", 0.15), job("half a day earlier", 12.25))
    until = (vaults.now - timedelta(hours=0.2)).astimezone(timezone(timedelta(hours=-5)))
    assert vaults.items(until - timedelta(hours=1), until) == ["in time", "half a day earlier"]
    vaults.report(job("long ago", 61, 60))
    assert vaults.items(until - timedelta(hours=1), until) == []


def test_a_vault_that_does_not_answer_is_unavailable(vaults):
    vaults.report(
        job("films", 3, 2),
        forbidden={"status": 403},
        throttled={"status": 429, "retryAfter": 1},
        broken={"status": 500},
        busy={"status": 503, "retryAfter": 1},
    )
    failing = ("missing", "forbidden", "throttled", "broken", "busy")
    found = vaults.read(NOW - timedelta(days=1), NOW, "v", *failing)
    assert [name for name, answer in found.items() if answer == "recovery"] == list(failing)
    assert len(found["v"]) == 1


def test_a_throttled_request_is_sent_again(vaults):
    vaults.report(job("films", 3, 2), v={"status": 429, "retryAfter": 1, "times": 2})
    assert vaults.items(NOW - timedelta(days=1), NOW) == ["films"]


def test_the_wait_for_a_vault_has_an_end(vaults):
    vaults.report(silent={"delay": 600}, patient={"status": 429, "retryAfter": 600})
    vaults_read = vaults.read(NOW, NOW, "silent", "patient", LISTING_SECONDS="3")
    assert vaults_read == {"silent": "recovery", "patient": "recovery"}


@pytest.mark.parametrize("lacking", [{"item": ""}, {"status": ""}])
def test_a_job_without_item_or_status_is_no_answer(vaults, lacking):
    vaults.report(job("films", 3, 2), job("films", 2, 1) | lacking)
    assert vaults.read(NOW - timedelta(days=1), NOW, "v") == {"v": "recovery"}


@pytest.mark.parametrize(
    "properties",
    [
        {"startTime": "2026-11-23T03:00:00"},
        {"endTime": "2026-11-23T03:00:00"},
        {"startTime": "yesterday"},
        {"endTime": "2026-02-30T03:00:00Z"},
        {"startTime": 1},
        {"startTime": None},
    ],
)
def test_a_job_that_cannot_be_read_is_no_answer_of_its_vault_alone(vaults, properties):
    vaults.jobs.properties = properties
    vaults.scenario.write_text(
        json.dumps({"vaults": {"v": [job("films", 3, 2)], "w": [job("photos", 3, 2)]}})
    )
    found = vaults.read(NOW - timedelta(days=1), NOW, "v", "w")
    assert found["v"] == "recovery"
    assert [one[0] for one in found["w"]] == ["photos"]


@pytest.mark.parametrize("page", [5, [], {}, {"value": 5}, {"value": ["x", 5]}, {"value": [[]]}])
def test_a_page_that_cannot_be_read_is_no_answer_or_an_empty_answer(vaults, page):
    vaults.jobs.instead = page
    vaults.report(job("films", 3, 2))
    assert vaults.read(NOW - timedelta(days=1), NOW, "v")["v"] in ("recovery", [])


@pytest.mark.parametrize(
    "changed", [{"IDENTITY_HEADER": "wrong"}, {"RECOVERY_RESOURCE_GROUP": "another"}]
)
def test_an_app_that_may_not_ask_has_no_answer(vaults, changed):
    vaults.report(job("films", 3, 2))
    assert vaults.read(NOW - timedelta(days=1), NOW, "v", **changed) == {"v": "recovery"}


def test_nothing_listens(stack):
    assert read(stack, NOW - timedelta(days=1), NOW, "v") == {"v": "recovery"}
