"""Audits of the backups. Every step can be repeated after a crash at any line."""

import asyncio
import hashlib
import logging
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

import msgspec

from shared.backups import rules
from shared.backups.expectations import Expectation, read_expectations, read_file
from shared.backups.rules import ItemDay, ItemFinding, Report, Summary
from shared.catalogue import BACKUP_AUDITS_TABLE, EVIDENCE_CONTAINER
from shared.compare_and_set import compare_and_set
from shared.errors import (
    NotFoundError,
    RefusalError,
    RowConflictError,
    UnavailableError,
)
from shared.ids import key, new_id, time_of
from shared.incidents import Incidents, cleared_message, incident_message
from shared.messages import Outbox
from shared.ports import (
    BackupJob,
    Blobs,
    Clock,
    Insert,
    RecoveryVaults,
    Replace,
    Row,
    Tables,
)
from shared.rows import from_values, to_values

_TABLE = BACKUP_AUDITS_TABLE.name
_EVIDENCE = EVIDENCE_CONTAINER.name
# The look-back beyond the due time, so that a report can name the last completed backup.
_LOOK_BACK = timedelta(days=7)
_MONTH = timedelta(days=31)

logger = logging.getLogger("vouchsafe.backups")


class BackupAudits:
    """The backup audits of the stamp."""

    def __init__(
        self,
        tables: Tables,
        blobs: Blobs,
        outbox: Outbox,
        incidents: Incidents,
        vaults: RecoveryVaults,
        clock: Clock,
        region: str,
        expectations_file: Path,
    ) -> None:
        self._tables = tables
        self._blobs = blobs
        self._outbox = outbox
        self._incidents = incidents
        self._vaults = vaults
        self._clock = clock
        self._region = region
        self._expectations_file = expectations_file

    async def audit(self, audit: str) -> Report:
        """Audit the backups now; `audit` is the id, and the same id again is the same audit.

        The report is kept as a blob of `evidence` before anything is made of it. Raises
        InvalidInputError, and opens an incident, when the expectations cannot be read.
        """
        day = time_of(audit).date().isoformat()
        report = await self._read(_evidence(day, audit))
        if report is None:
            report = await self._examine(audit, day)
            data = msgspec.json.format(msgspec.json.encode(report))
            await self._blobs.write(_EVIDENCE, _evidence(day, audit), data, "application/json")
        for finding in report.findings:
            await self._record(finding, report)
        await self._list(report)
        logger.info("backup audit %s: %d items", audit, len(report.findings))
        return report

    async def find(self, day: str, audit: str) -> Report:
        """Return a report. Raises NotFoundError for a missing report."""
        row = await self._tables.get(_TABLE, key("audits", day), key(audit))
        report = await self._read(str(row.values["evidence"])) if row is not None else None
        if report is None:
            raise NotFoundError(
                "backup-audit-not-found",
                "There is no such audit on that day.",
                "List the day's audits to see which there are.",
            )
        return report

    async def page(
        self, day: str, *, size: int, continuation: str | None
    ) -> tuple[Sequence[Summary], str | None]:
        """One page of the audits of a day (YYYY-MM-DD), oldest first, and where to read on."""
        page = await self._tables.page(
            _TABLE, key("audits", day), size=size, continuation=continuation
        )
        return [from_values(Summary, row.values) for row in page.rows], page.continuation

    async def _examine(self, audit: str, day: str) -> Report:
        now = self._clock()
        try:
            data = await asyncio.to_thread(read_file, self._expectations_file)
            expectations = read_expectations(data)
        except RefusalError as error:
            await self._incidents.open_once(rules.unreadable(error.detail), day)
            raise
        await self._incidents.clear(
            rules.UNREADABLE_KIND, rules.EXPECTATIONS, "The expectations can be read."
        )
        jobs = await self._jobs(expectations, now)
        return Report(
            id=audit,
            day=day,
            audited_at=now,
            region=self._region,
            expectations_sha256=hashlib.sha256(data).hexdigest(),
            findings=tuple(rules.judge(one, jobs[one.vault], now) for one in expectations),
        )

    async def _jobs(
        self, expectations: Sequence[Expectation], now: datetime
    ) -> Mapping[str, Sequence[BackupJob] | None]:
        """Return the jobs of each vault, beyond the due time; None for a silent vault."""
        reach: dict[str, timedelta] = {}
        for one in expectations:
            gap = rules.longest_gap(one) + _LOOK_BACK
            reach[one.vault] = max(gap, reach.get(one.vault, gap))

        async def ask(vault: str) -> Sequence[BackupJob] | None:
            try:
                return await self._vaults.backup_jobs(vault, now - reach[vault], now)
            except UnavailableError:
                logger.warning("a recovery vault did not answer")
                return None

        answers = await asyncio.gather(*(ask(vault) for vault in reach))
        return dict(zip(reach, answers, strict=True))

    async def _record(self, finding: ItemFinding, report: Report) -> None:
        partition, row_key = key(finding.vault, finding.item), report.day

        async def attempt() -> None:
            row = await self._tables.get(_TABLE, partition, row_key)
            previous = from_values(ItemDay, row.values) if row is not None else None
            earlier = None if row is not None else await self._earlier(partition, report.day)
            decision = rules.record(previous, earlier, finding, report)
            if decision.state is None:
                await self._outbox.flush(_TABLE, partition)
                return
            etag = row.etag if row is not None else None
            kept = Row(partition, row_key, to_values(decision.state), etag)
            change = Insert(kept) if etag is None else Replace(kept)
            now = self._clock()
            reports = [cleared_message(one, new_id(now), now) for one in decision.cleared]
            if decision.incident is not None:
                reports.append(incident_message(decision.incident, decision.once, now))
            await self._outbox.commit(_TABLE, partition, [change], reports)

        await compare_and_set(attempt)

    async def _earlier(self, partition: str, day: str) -> ItemDay | None:
        """Return the newest state of an item before a day, of the month before."""
        last = date.fromisoformat(day) - timedelta(days=1)
        first = last - _MONTH
        rows = self._tables.between(_TABLE, partition, first.isoformat(), last.isoformat())
        found = [row async for row in rows]
        return from_values(ItemDay, found[-1].values) if found else None

    async def _list(self, report: Report) -> None:
        summary = rules.summary(report, _evidence(report.day, report.id))
        row = Row(key("audits", report.day), key(report.id), to_values(summary))
        try:
            await self._tables.commit(_TABLE, [Insert(row)])
        except RowConflictError:
            logger.info("backup audit %s was listed by an earlier attempt", report.id)

    async def _read(self, name: str) -> Report | None:
        blob = await self._blobs.head(_EVIDENCE, name)
        if blob is None:
            return None
        async with self._blobs.read(blob) as chunks:
            data = b"".join([chunk async for chunk in chunks])
        return msgspec.json.decode(data, type=Report)


def _evidence(day: str, audit: str) -> str:
    return f"backup-audits/{day}/{audit}.json"
