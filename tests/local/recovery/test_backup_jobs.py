"""The Recovery Services stand-in over plain HTTP: whom it answers, what it lists and refuses."""

import json
import ssl
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from infra.local.recovery.app import PAGE_SIZE, PATH
from infra.local.settings import RESOURCE_GROUP, SUBSCRIPTION
from infra.local.stack import Stack

VERSION = {"api-version": "2026-10-01"}


def path(vault="rsv", subscription=SUBSCRIPTION, group=RESOURCE_GROUP):
    return PATH.format(subscription=subscription, group=group, vault=vault)


def job(item, started, ended=None, **more):
    listed = {"item": item, "status": "Completed", "startedHoursAgo": started, **more}
    return listed if ended is None else listed | {"endedHoursAgo": ended}


JOBS = [
    job("films", 3, 2),
    job("films", 27, 26, status="Failed"),
    job("photos", 5, 4, operation="Restore"),
    job("photos", 1, status="InProgress"),
    job("books", 50, 49),
]


@pytest.fixture(scope="module")
def scenario(tmp_path_factory):
    return tmp_path_factory.mktemp("scenario") / "scenario.json"


@pytest.fixture(scope="module")
def stack(tmp_path_factory, scenario):
    directory = tmp_path_factory.mktemp("recovery")
    with Stack(directory, processes=["identity", "recovery"], scenario=scenario) as started:
        yield started


@pytest.fixture
def client(stack, scenario):
    """A client with a good token, on the scenario above."""
    scenario.write_text(json.dumps({"vaults": {"rsv": JOBS, "Empty": []}}))
    trusted = ssl.create_default_context(cafile=stack.authority)
    url = stack.settings["ARM_ENDPOINT"]
    headers = bearer(stack)
    with httpx.Client(base_url=url, verify=trusted, headers=headers, trust_env=False) as opened:
        yield opened


def bearer(stack, **changes):
    form = {
        "grant_type": "client_credentials",
        "client_id": "auditor",
        "scope": f"{stack.settings['ARM_ENDPOINT']}/.default",
    }
    answer = httpx.post(stack.info["token"]["endpoint"], data=form | changes, trust_env=False)
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def listed(client, filter_=None, vault="rsv"):
    """All jobs that the filter takes, page by page."""
    query = VERSION if filter_ is None else VERSION | {"$filter": filter_}
    answer = client.get(path(vault), params=query)
    pages = []
    while True:
        assert answer.status_code == 200, answer.text
        pages.append(answer.json()["value"])
        if "nextLink" not in answer.json():
            return [one for page in pages for one in page]
        assert len(pages[-1]) == PAGE_SIZE
        answer = client.get(answer.json()["nextLink"])


def places(jobs):
    """Which of the scenario's jobs these are."""
    described = [(one["item"], one["status"]) for one in JOBS]
    shown = [one["properties"] for one in jobs]
    return [described.index((one["entityFriendlyName"], one["status"])) for one in shown]


def refusal(answer):
    return answer.status_code, answer.json()["error"]["code"]


def test_a_job_has_the_form_of_a_job_resource(client):
    before = datetime.now(UTC)
    first, *_ = listed(client)
    after = datetime.now(UTC)
    assert first["id"] == f"{path()}/{first['name']}"
    assert first["type"] == "Microsoft.RecoveryServices/vaults/backupJobs"
    shown = first["properties"]
    assert (shown["entityFriendlyName"], shown["status"], shown["operation"]) == (
        "films",
        "Completed",
        "Backup",
    )
    started, ended = (datetime.fromisoformat(shown[name]) for name in ("startTime", "endTime"))
    assert before <= started + timedelta(hours=3) <= after
    assert ended - started == timedelta(hours=1)
    running = listed(client, "status eq 'InProgress'")[0]["properties"]
    assert "endTime" not in running


def hours_ago(hours):
    return (datetime.now(UTC) - timedelta(hours=hours)).strftime("%Y-%m-%d %I:%M:%S %p")


@pytest.mark.parametrize(
    ("filter_", "taken"),
    [
        (None, [0, 1, 2, 3, 4]),
        ("", [0, 1, 2, 3, 4]),
        ("operation eq 'Backup'", [0, 1, 3, 4]),
        ("operation eq 'Restore'", [2]),
        ("status eq 'Failed'", [1]),
        ("status eq 'Failed' and operation eq 'Restore'", []),
        ("backupManagementType eq 'AzureWorkload'", [0, 1, 2, 3, 4]),
        ("backupManagementType eq 'AzureIaasVM'", []),
        ("startTime eq '{early}' and endTime eq '{late}'", [0, 1, 2]),
        ("startTime eq '{early}'", [0, 1, 2, 3]),
        ("endTime eq '{early}'", [4]),
        ("endTime eq '{late}' and operation eq 'Backup'", [0, 1, 4]),
    ],
)
def test_a_filter_takes_what_meets_each_equation(client, filter_, taken):
    if filter_ is not None:
        # The names of the tests say no time, which each process of a parallel run would see else.
        filter_ = filter_.format(early=hours_ago(28), late=hours_ago(2.5))
    assert places(listed(client, filter_)) == taken


def test_a_job_is_found_by_its_id(client):
    third = listed(client)[2]
    assert places(listed(client, f"jobId eq '{third['name']}'")) == [2]


@pytest.mark.parametrize(
    "filter_",
    [
        "operation eq Backup",
        "operation ne 'Backup'",
        "operation eq 'Backup' or status eq 'Failed'",
        "operation eq 'Backup' and",
        "operation eq 'Backup' and operation eq 'Restore'",
        "entityFriendlyName eq 'films'",
        "startTime eq '2026-11-23T06:00:00Z'",
        "startTime ge '2026-11-23 06:00:00 AM'",
        "startTime eq '2026-11-23 18:00:00 PM'",
        "startTime eq '2026-11-2300:32:38'",
    ],
)
def test_a_filter_that_the_service_does_not_know_is_refused(client, filter_):
    answer = client.get(path(), params=VERSION | {"$filter": filter_})
    assert refusal(answer) == (400, "BMSUserErrorInvalidInput")


def test_names_are_the_same_in_any_case(client):
    whole = path("RSV", group=RESOURCE_GROUP.upper())
    assert len(client.get(whole, params=VERSION).json()["value"]) == PAGE_SIZE
    assert listed(client, vault="empty") == []


@pytest.mark.parametrize(
    ("target", "query", "refused"),
    [
        (path(), {}, (400, "MissingApiVersionParameter")),
        (path(), {"api-version": "latest"}, (400, "InvalidApiVersionParameter")),
        (path(subscription="1"), VERSION, (404, "SubscriptionNotFound")),
        (path(group="another"), VERSION, (404, "ResourceGroupNotFound")),
        (path("rsv-of-nobody"), VERSION, (404, "ResourceNotFound")),
        (path(), VERSION | {"$skipToken": "x"}, (400, "BMSUserErrorInvalidInput")),
        (path().removesuffix("/backupJobs"), VERSION, (404, "InvalidResourceType")),
    ],
)
def test_a_wrong_request_is_refused_in_arms_words(client, target, query, refused):
    assert refusal(client.get(target, params=query)) == refused


def test_jobs_are_listed_and_never_changed(client):
    assert refusal(client.post(path(), params=VERSION)) == (405, "InvalidResourceType")


@pytest.mark.parametrize(
    "changes", [{"scope": "api://vouchsafe"}, {"scope": "https://another"}, {"expires_in": "-60"}]
)
def test_a_token_for_another_service_or_time_is_refused(stack, client, changes):
    answer = client.get(path(), params=VERSION, headers=bearer(stack, **changes))
    assert refusal(answer) == (401, "AuthenticationFailed")
    assert stack.settings["TOKEN_ISSUER"] in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("header", ["", "Basic YTpi", "Bearer", "Bearer nonsense"])
def test_a_request_without_a_token_is_refused(client, header):
    for target in (path(), "/no/such/path"):
        answer = client.get(target, params=VERSION, headers={"Authorization": header})
        assert refusal(answer) == (401, "AuthenticationFailed")


def test_an_edit_of_the_scenario_is_seen_at_once(client, scenario):
    def answer():
        return client.get(path(), params=VERSION)

    assert answer().status_code == 200
    throttled = {"status": 429, "retryAfter": 7, "times": 1}
    scenario.write_text(json.dumps({"vaults": {"rsv": []}, "faults": {"rsv": throttled}}))
    refused = answer()
    assert refusal(refused) == (429, "TooManyRequests")
    assert refused.headers["Retry-After"] == "7"
    assert answer().json() == {"value": []}
    scenario.write_text(json.dumps({"vaults": {}, "faults": {"RSV": {}}}))
    assert [refusal(answer()) for _ in range(2)] == [(503, "ServerBusy")] * 2
    scenario.write_text(json.dumps({"vaults": {}}))
    assert refusal(answer()) == (404, "ResourceNotFound")


@pytest.mark.parametrize(
    "written",
    [
        "",
        "{}",
        '{"vaults": {"rsv": [{"item": "films"}]}}',
        '{"vaults": {}, "faults": {"rsv": {"status": 200}}}',
        '{"vaults": {}, "more": 1}',
    ],
)
def test_a_broken_scenario_is_a_service_that_does_not_answer(stack, client, scenario, written):
    scenario.write_text(written)
    assert client.get(path(), params=VERSION).status_code == 503
    log = (stack.directory / "logs/recovery.log").read_text()
    assert "The scenario cannot be read" in log


def test_a_restart_of_the_issuer_is_noticed(stack, client):
    before = bearer(stack)
    stack.kill("identity")
    stack.start_process("identity")
    again = client.get(path(), params=VERSION, headers=bearer(stack))
    assert again.status_code == 200
    assert client.get(path(), params=VERSION, headers=before).status_code == 401
