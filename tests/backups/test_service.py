"""Audits on the stack's own storage and bus: reports, rows and incidents."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from shared.azure.blobs import AzureBlobs
from shared.azure.bus import AzureBus
from shared.azure.tables import AzureTables
from shared.backups import BackupAudits
from shared.catalogue import INCIDENTS_TABLE, PARKED_MESSAGES_QUEUE
from shared.errors import InvalidInputError, NotFoundError, UnavailableError
from shared.ids import key, new_id
from shared.incidents import Incidents
from shared.messages import Outbox
from shared.ports import BackupJob
from tests.entrylogs import NoLog

TABLE = "backupaudits"


class Vaults:
    """Recovery vaults that report what a test says, in place of Azure's."""

    def __init__(self) -> None:
        self.jobs: dict[str, list[BackupJob]] = {}

    async def backup_jobs(
        self, vault: str, since: datetime, until: datetime
    ) -> Sequence[BackupJob]:
        if vault not in self.jobs:
            raise UnavailableError("recovery")
        return [
            job
            for job in self.jobs[vault]
            if job.started < until and (job.ended is None or job.ended >= since)
        ]


class Setting:
    """One stamp with a clock, expectations and recovery vaults of its own."""

    def __init__(self, stack, directory: Path) -> None:
        strings = stack.info["connection_strings"]
        # Every test has days of its own, so that none sees another's rows.
        self.now = datetime(2000, 1, 1, 6, tzinfo=UTC) + timedelta(days=uuid4().int % 100_000)
        self.vault = f"rsv-{new_id(datetime.now(UTC))}"
        self.expectations = directory / "expectations.json"
        self.vaults = Vaults()
        self.tables = AzureTables(strings["storage"])
        self.blobs = AzureBlobs(strings["storage"])
        self.bus = AzureBus(strings["service_bus"], ping_queue=PARKED_MESSAGES_QUEUE.name)
        outbox = Outbox(self.tables, self.bus, NoLog(), self.clock)
        self.audits = BackupAudits(
            self.tables,
            self.blobs,
            outbox,
            Incidents(self.tables, outbox, self.clock),
            self.vaults,
            self.clock,
            "westeurope",
            self.expectations,
        )
        self.expect("films")

    def clock(self) -> datetime:
        return self.now

    def expect(self, *items: str) -> None:
        listed = [{"vault": self.vault, "item": item, "everyHours": 24} for item in items]
        self.expectations.write_text(json.dumps({"items": listed}))

    def report(self, *jobs: tuple[str, str, float]) -> None:
        """Let the vault report jobs: item, status, and how many hours ago they ended."""
        self.vaults.jobs[self.vault] = [
            BackupJob(
                item,
                status,
                started=self.now - timedelta(hours=ago + 1),
                ended=self.now - timedelta(hours=ago),
            )
            for item, status, ago in jobs
        ]

    async def audit(self):
        return await self.audits.audit(new_id(self.now))

    async def row(self, item: str):
        day = self.now.date().isoformat()
        return await self.tables.get(TABLE, key(self.vault, item), day)

    async def close(self) -> None:
        for client in (self.tables, self.blobs, self.bus):
            await client.close()


@pytest.fixture
async def setting(stack, tmp_path):
    made = Setting(stack, tmp_path)
    yield made
    await made.close()


async def test_a_missed_backup_is_in_the_report_the_rows_and_the_evidence(setting, blobs):
    setting.expect("films", "photos")
    setting.report(("films", "Completed", 3), ("photos", "Completed", 30))
    report = await setting.audit()
    assert [(one.item, one.verdict) for one in report.findings] == [
        ("films", "completed"),
        ("photos", "missed"),
    ]
    row = await setting.row("photos")
    assert (row.values["verdict"], row.values["audit"]) == ("missed", report.id)
    assert "incidentAt" in row.values
    blob = blobs.get_blob_client("evidence", f"backup-audits/{report.day}/{report.id}.json")
    kept = json.loads(await (await blob.download_blob()).readall())
    assert kept["findings"][1]["verdict"] == "missed"
    assert await setting.audits.find(report.day, report.id) == report


async def test_the_same_audit_again_is_the_same_report(setting):
    setting.report(("films", "Completed", 3))
    first = await setting.audits.audit(identifier := new_id(setting.now))
    setting.report()
    assert await setting.audits.audit(identifier) == first
    listed, _ = await setting.audits.page(first.day, size=10, continuation=None)
    assert [one.id for one in listed] == [first.id]


async def test_a_vault_that_does_not_answer_is_unknown_not_completed(setting):
    report = await setting.audit()
    assert [one.verdict for one in report.findings] == ["unknown"]
    assert "incidentAt" in (await setting.row("films")).values


async def test_a_later_audit_of_the_day_keeps_the_incident_of_the_first(setting):
    setting.report()
    await setting.audit()
    opened = (await setting.row("films")).values["incidentAt"]
    setting.now += timedelta(seconds=5)
    setting.report(("films", "Completed", 0))
    await setting.audit()
    row = await setting.row("films")
    assert (row.values["verdict"], row.values["incidentAt"]) == ("completed", opened)


async def test_a_broken_file_opens_one_incident_and_no_report(setting):
    setting.expectations.write_text('{"items": [{"vault": "v"}]}')
    for _ in range(2):
        with pytest.raises(InvalidInputError) as refused:
            await setting.audit()
    assert "$.items[0]" in refused.value.detail
    day = setting.now.date().isoformat()
    rows = setting.tables.scan(INCIDENTS_TABLE.name, "_stamp")
    told = [row.values async for row in rows if row.values["kind"] == "backup.expectations-invalid"]
    assert [one["isOver"] for one in told] == [False]
    setting.expect("films")
    await setting.audit()
    rows = setting.tables.scan(INCIDENTS_TABLE.name, "_stamp")
    told = [row.values async for row in rows if row.values["kind"] == "backup.expectations-invalid"]
    assert [one["isOver"] for one in told] == [True]
    listed, _ = await setting.audits.page(day, size=10, continuation=None)
    assert len(listed) == 1


async def test_an_audit_that_is_not_there_is_not_found(setting):
    with pytest.raises(NotFoundError):
        await setting.audits.find("2026-01-01", "none")
