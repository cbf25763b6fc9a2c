"""Backup audits from end to end: what is missed is reported, kept as evidence, and told once."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from infra.local.settings import SCENARIO
from infra.local.stack import Stack
from shared.ids import new_id
from tests.journeys.portal import Portal, eventually
from tests.recorded import recorded

# infra/local/backups expects all four; in infra/local/recovery the tables are two days late.
VERDICTS = {
    "dam-blobs": "completed",
    "dam-tables": "missed",
    "dam-database": "completed",
    "evidence-blobs": "completed",
}


async def audited(portal, **headers):
    answer = await portal.call("POST", "backup-audits", who="service", headers=headers)
    assert answer.status_code == 201, answer.text
    report = answer.json()
    assert answer.headers["Location"] == f"/api/backup-audits/{report['day']}/{report['id']}"
    return report


async def listed(portal, day):
    """All audits of a day, oldest first, read in pages of two."""
    audits, continuation = [], ""
    while continuation is not None:
        answer = await portal.call(
            "GET",
            f"backup-audits/{day}",
            who="service",
            params={"limit": "2", "continuation": continuation},
        )
        assert answer.status_code == 200, answer.text
        audits += answer.json()["backupAudits"]
        continuation = answer.json()["continuation"]
    return audits


async def incidents(stack, kind, resource=""):
    """The incidents of this kind about what begins so."""
    found = await recorded(stack)
    return [one for one in found if one["kind"] == kind and one["resource"].startswith(resource)]


async def test_a_missed_backup_is_reported_kept_and_told_once(stack, blobs):
    async with Portal(stack, "backups-missed") as portal:
        first = await audited(portal)
        second = await audited(portal)
        assert first["id"] != second["id"]
        for report in (first, second):
            assert {f["item"]: f["verdict"] for f in report["findings"]} == VERDICTS
            [missed] = [f for f in report["findings"] if f["item"] == "dam-tables"]
            assert missed["dueBy"] < report["auditedAt"]
            assert (missed["vault"], missed["newestJob"]) == ("rsv-westeurope", "Completed")

            path = f"backup-audits/{report['day']}/{report['id']}"
            one = await portal.call("GET", path, who="service")
            assert (one.status_code, one.json()) == (200, report)
            evidence = await blobs.get_blob_client("evidence", f"{path}.json").download_blob()
            assert json.loads(await evidence.readall()) == report

            [row] = [a for a in await listed(portal, report["day"]) if a["id"] == report["id"]]
            assert (row["items"], row["notCompleted"]) == (len(VERDICTS), 1)
            assert row["evidence"] == f"{path}.json"
        about = "backups/rsv-westeurope/dam-tables"
        days = {first["day"], second["day"]}
        found = await eventually(
            lambda: incidents(stack, "backup.missed", about),
            lambda opened: len(opened) == len(days),
        )
        assert {one["severity"] for one in found} == {"critical"}
        assert len({one["RowKey"] for one in found}) == 1


async def test_an_audit_asked_for_twice_with_one_key_is_one(stack):
    async with Portal(stack, "backups-key") as portal:
        key = {"Idempotency-Key": new_id(datetime.now(UTC))}
        first, again = await audited(portal, **key), await audited(portal, **key)
        assert again == first
        audits = [audit["id"] for audit in await listed(portal, first["day"])]
        assert audits.count(first["id"]) == 1
        assert audits == sorted(audits)


async def test_the_timer_audits_as_well(stack, http):
    async with Portal(stack, "backups-timer") as portal:

        async def ids():
            today = datetime.now(UTC).date()
            days = (today - timedelta(days=1), today)
            return {audit["id"] for day in days for audit in await listed(portal, day.isoformat())}

        before = await ids()
        fired = await http.post("/admin/functions/audit_backups", json={"input": ""})
        assert fired.status_code == 202
        await eventually(ids, lambda after: len(after) > len(before))


@pytest.fixture(scope="module")
def expectations(tmp_path_factory):
    """The file of expectations of a stack of its own."""
    file = tmp_path_factory.mktemp("expectations") / "expectations.json"
    file.write_text("{}")
    return file


@pytest.fixture(scope="module")
def scenario(tmp_path_factory):
    """The file of what the vaults of a stack of its own report."""
    file = tmp_path_factory.mktemp("scenario") / "scenario.json"
    file.write_text(SCENARIO.read_text())
    return file


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory, expectations, scenario):
    """A stack that is told to read those files."""
    with Stack(
        tmp_path_factory.mktemp("stack"),
        in_memory=True,
        settings={"BACKUP_EXPECTATIONS_FILE": str(expectations)},
        processes=("azurite", "servicebus", "identity", "keyvault", "datakeys", "recovery", "host"),
        scenario=scenario,
    ) as started:
        yield started


ITEM = {"vault": "rsv-westeurope", "item": "dam-blobs", "everyHours": 24}


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ('{\n  "items": [}', "line 2, column 13"),
        ("", "line 1, column 1"),
        ("[]", "`object`, got `array`"),
        (b"\xff", "UTF-8, from byte 0"),
        (None, "No such file"),
        ({"items": []}, "$.items"),
        ({"items": [ITEM, ITEM | {"everyHours": 0}]}, "$.items[1].everyHours"),
        ({"items": [ITEM, ITEM | {"item": 7}]}, "$.items[1].item"),
        ({"items": [ITEM | {"evryHours": 24}]}, "`evryHours` - at `$.items[0]`"),
        ({"items": [ITEM, ITEM]}, "$.items[1]"),
        ({"items": [ITEM], "more": 1}, "more"),
    ],
)
async def test_a_broken_file_of_expectations_is_named(own_stack, expectations, written, place):
    if written is None:
        expectations.unlink()
    elif isinstance(written, bytes):
        expectations.write_bytes(written)
    else:
        expectations.write_text(written if isinstance(written, str) else json.dumps(written))
    async with Portal(own_stack, "backups-broken") as portal:
        answer = await portal.call("POST", "backup-audits", who="service")
        assert answer.status_code == 422, answer.text
        assert answer.headers["Content-Type"] == "application/problem+json"
        problem = answer.json()
        assert problem["type"] == "urn:vouchsafe:problem:backup-expectations-invalid"
        assert place in problem["detail"]
        assert "BACKUP_EXPECTATIONS_FILE" in problem["remedy"]
        # One a day, however often it is found broken.
        opened = await eventually(lambda: incidents(own_stack, "backup.expectations-invalid"), bool)
        days = [one["at"][:10] for one in opened]
        assert len(days) == len(set(days))


async def test_once_the_file_is_mended_the_audit_runs(own_stack, expectations):
    silent = {"vault": "rsv-of-nobody", "item": "films", "everyHours": 24}
    await asyncio.to_thread(expectations.write_text, json.dumps({"items": [ITEM, silent]}))
    async with Portal(own_stack, "backups-mended") as portal:
        report = await audited(portal)
        verdicts = {finding["item"]: finding["verdict"] for finding in report["findings"]}
        assert verdicts == {"dam-blobs": "completed", "films": "unknown"}


async def test_a_vault_that_fails_is_unknown_until_it_answers(own_stack, expectations, scenario):
    reported = json.loads(scenario.read_text())
    items = {"items": [ITEM, {"vault": "rsv-other", "item": "films", "everyHours": 24}]}
    films = [{"item": "films", "status": "Completed", "startedHoursAgo": 3, "endedHoursAgo": 2}]
    reported["vaults"]["rsv-other"] = films
    failing = reported | {"faults": {"rsv-other": {"status": 503, "retryAfter": 1}}}
    await asyncio.to_thread(expectations.write_text, json.dumps(items))
    async with Portal(own_stack, "backups-failing") as portal:
        for written, verdict in ((failing, "unknown"), (reported, "completed")):
            await asyncio.to_thread(scenario.write_text, json.dumps(written))
            report = await audited(portal)
            verdicts = {finding["item"]: finding["verdict"] for finding in report["findings"]}
            assert verdicts == {"dam-blobs": "completed", "films": verdict}
