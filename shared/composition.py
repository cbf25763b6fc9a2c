"""The composition root: builds the adapters and the flows once a process.

Everything is built when it is first asked for, so that a cold start imports only what the first
function needs.
"""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from shared.errors import UnavailableError
from shared.ids import in_milliseconds, new_id
from shared.ports import Blobs, Bus, Clock, Secrets, Tables
from shared.settings import Settings, read_settings

if TYPE_CHECKING:
    from shared.accesses import Accesses
    from shared.accesslog import AccessLog, LogStore
    from shared.accesslog.arrivals import Arrivals
    from shared.accesslog.integrity.watch import IntegrityWatch
    from shared.accesslog.proofs.checkpoints import Checkpoints
    from shared.accesslog.proofs.entry_proofs import EntryProofs
    from shared.accesslog.proofs.keys import LogKeys
    from shared.accesslog.proofs.proving import Proofs
    from shared.accesslog.proofs.witnesses import Witnesses
    from shared.accesslog.reading.exports import Exports
    from shared.accesslog.reading.listing import Reading
    from shared.accesslog.redactions import Redactions
    from shared.assets import Assets
    from shared.backups import BackupAudits
    from shared.consents import Consents
    from shared.erasures import Erasures
    from shared.idempotency import IdempotencyKeys
    from shared.identity import Tokens
    from shared.intake import Intake
    from shared.messages import Outbox
    from shared.messages.deadletters import DeadLetters
    from shared.scanning.defender import ScanResults
    from shared.scanning.scanner import Scanner
    from shared.scanning.watch import ScannerWatch
    from shared.tenancy import Tenants


class Check(msgspec.Struct, frozen=True, rename="camel"):
    """Whether a service answered, and how long it took."""

    reachable: bool
    latency_ms: float


def _utc_now() -> datetime:
    return in_milliseconds(datetime.now(UTC))


class App:
    """What the functions work with. Tests hand in their own adapters by assigning to them."""

    def __init__(self, settings: Settings, clock: Clock = _utc_now) -> None:
        self.settings = settings
        self.clock = clock

    def new_id(self) -> str:
        """A new ULID."""
        return new_id(self.clock())

    @cached_property
    def tables(self) -> Tables:
        from shared.azure.tables import AzureTables

        return AzureTables(self.settings.DAM_STORAGE)

    @cached_property
    def blobs(self) -> Blobs:
        from shared.azure.blobs import AzureBlobs

        return AzureBlobs(self.settings.DAM_STORAGE)

    @cached_property
    def bus(self) -> Bus:
        from shared.azure.bus import AzureBus
        from shared.messages import queues

        return AzureBus(self.settings.SERVICE_BUS, ping_queue=queues.PARKED_MESSAGES)

    @cached_property
    def secrets(self) -> Secrets:
        from shared.azure.secrets import KeyVaultSecrets

        return KeyVaultSecrets(self.settings.KEY_VAULT_URL)

    @cached_property
    def outbox(self) -> "Outbox":
        from shared.accesslog.direct import LoggingBus
        from shared.messages import Outbox

        return Outbox(self.tables, LoggingBus(self.bus, self.accesslog, self.clock), self.clock)

    @cached_property
    def dead_letters(self) -> "DeadLetters":
        from shared.messages.deadletters import DeadLetters

        return DeadLetters(self.bus, self.outbox, self.clock)

    @cached_property
    def tokens(self) -> "Tokens":
        from shared.identity import Tokens

        return Tokens(self.settings.TOKEN_ISSUER, self.settings.TOKEN_AUDIENCE)

    @cached_property
    def reservations(self) -> "IdempotencyKeys":
        from shared.idempotency import IdempotencyKeys

        return IdempotencyKeys(self.tables, self.new_id)

    @cached_property
    def tenants(self) -> "Tenants":
        from shared.tenancy import Tenants

        return Tenants(self.tables, self.blobs, self.outbox, self.clock, self.settings.STAMP_REGION)

    @cached_property
    def accesslog(self) -> "AccessLog":
        from shared.accesslog import AccessLog

        return AccessLog(self.log_store, self.clock)

    @cached_property
    def arrivals(self) -> "Arrivals":
        from shared.accesslog.arrivals import Arrivals
        from shared.messages import queues

        return Arrivals(queues.ACCESS_EVENTS, self.bus, self.accesslog)

    @cached_property
    def log_store(self) -> "LogStore":
        from shared.accesslog import LogStore
        from shared.accesslog.entries import same, stated_leaf

        return LogStore(self.tables, same=same, leaf=stated_leaf)

    @cached_property
    def log_keys(self) -> "LogKeys":
        from shared.accesslog.proofs.keys import LogKeys

        return LogKeys(self.secrets, self.blobs, self.clock)

    @cached_property
    def log_reading(self) -> "Reading":
        from shared.accesslog.reading.listing import Reading

        return Reading(self.log_store)

    @cached_property
    def proofs(self) -> "Proofs":
        from shared.accesslog.proofs.proving import Proofs

        return Proofs(self.log_store)

    @cached_property
    def checkpoints(self) -> "Checkpoints":
        from shared.accesslog.proofs.checkpoints import Checkpoints

        return Checkpoints(
            self.log_store,
            self.log_keys,
            self.tables,
            self.blobs,
            self.clock,
            self.settings.LOG_ORIGIN,
        )

    @cached_property
    def entry_proofs(self) -> "EntryProofs":
        from shared.accesslog.proofs.entry_proofs import EntryProofs

        return EntryProofs(self.log_store, self.checkpoints)

    @cached_property
    def witnesses(self) -> "Witnesses":
        from shared.accesslog.proofs.witnesses import Witnesses

        return Witnesses(self.tables, self.checkpoints, self.outbox, self.clock)

    @cached_property
    def log_watch(self) -> "IntegrityWatch":
        from shared.accesslog.integrity.watch import IntegrityWatch

        return IntegrityWatch(self.tables, self.checkpoints, self.outbox, self.clock)

    @cached_property
    def redactions(self) -> "Redactions":
        from shared.accesslog.redactions import Redactions

        return Redactions(
            self.log_store, self.accesslog, self.checkpoints, self.log_keys, self.clock
        )

    @cached_property
    def log_exports(self) -> "Exports":
        from shared.accesslog.reading.exports import Exports

        return Exports(
            self.log_store,
            self.log_reading,
            self.checkpoints,
            self.accesslog,
            self.blobs,
            self.clock,
        )

    @cached_property
    def assets(self) -> "Assets":
        from shared.assets import Assets

        return Assets(self.tables, self.blobs, self.secrets, self.outbox, self.clock)

    @cached_property
    def intake(self) -> "Intake":
        from shared.intake import Declarations, Intake

        return Intake(
            self.assets,
            self.blobs,
            self.bus,
            self.tenants,
            Declarations(self.tables),
            self.accesslog,
            self.clock,
            self.settings.STAMP_REGION,
            self.scanner,
            self.settings.UPLOAD_SIZE_LIMIT,
        )

    @cached_property
    def scanner(self) -> "Scanner":
        if self.settings.SCANNER == "clamd":
            from shared.scanning.clamd import ClamdScanner

            max_stream = self.settings.CLAMD_MAX_STREAM_MIB * 1024 * 1024
            return ClamdScanner(self.settings.CLAMD_ADDRESS, max_stream)
        if self.settings.SCANNER == "defender":
            from shared.scanning.defender import DefenderScanner

            return DefenderScanner(self.tables, self.clock)
        from shared.scanning.embedded import EmbeddedScanner

        return EmbeddedScanner()

    @cached_property
    def scan_results(self) -> "ScanResults":
        from shared.scanning.defender import ScanResults

        chosen = self.settings.SCANNER == "defender"
        wait = timedelta(minutes=self.settings.SCAN_RESULT_MINUTES) if chosen else None
        return ScanResults(self.tables, self.blobs, self.outbox, self.clock, wait)

    @cached_property
    def scanner_watch(self) -> "ScannerWatch":
        from shared.scanning.watch import ScannerWatch

        max_age = timedelta(days=self.settings.SIGNATURE_MAX_AGE_DAYS)
        return ScannerWatch(self.scanner, self.outbox, self.clock, max_age)

    @cached_property
    def consents(self) -> "Consents":
        from shared.consents import Consents

        return Consents(self.tables, self.outbox, self.clock)

    @cached_property
    def accesses(self) -> "Accesses":
        from shared.accesses import Accesses

        return Accesses(self.assets, self.consents, self.accesslog, self.blobs, self.clock)

    @cached_property
    def erasures(self) -> "Erasures":
        from shared.erasures import Erasures, ErasureStore

        store = ErasureStore(self.tables, self.outbox, self.clock)
        return Erasures(store, self.assets, self.accesslog, self.secrets, self.clock)

    @cached_property
    def backups(self) -> "BackupAudits":
        from shared.azure.recovery import AzureRecoveryVaults
        from shared.backups import BackupAudits

        return BackupAudits(
            self.tables,
            self.blobs,
            self.outbox,
            AzureRecoveryVaults(
                self.settings.ARM_ENDPOINT,
                self.settings.RECOVERY_SUBSCRIPTION_ID,
                self.settings.RECOVERY_RESOURCE_GROUP,
            ),
            self.clock,
            self.settings.STAMP_REGION,
            self.settings.BACKUP_EXPECTATIONS_FILE,
        )

    async def readiness(self) -> Mapping[str, Check]:
        """Ask storage, bus and vault, at the same time, for a sign of life."""
        pings = {"storage": self.blobs.ping, "bus": self.bus.ping, "vault": self.secrets.ping}
        checks = await asyncio.gather(*(_check(ping) for ping in pings.values()))
        return dict(zip(pings, checks, strict=True))


_PING_SECONDS = 5.0
_current: App | None = None


def start(environment: Mapping[str, str] = os.environ) -> None:
    """Read the settings. Raises SettingsError that names each one that is missing or wrong."""
    global _current  # noqa: PLW0603 - one composition a process, as its module says
    # At the information level the SDKs log each request's URL, and a path may hold a person's name.
    logging.getLogger("azure").setLevel(logging.WARNING)
    _current = App(read_settings(environment))


def app() -> App:
    """The process's composition. Raises RuntimeError before `start`."""
    if _current is None:
        raise RuntimeError("the composition was not started")
    return _current


async def _check(ping: Callable[[], Awaitable[None]]) -> Check:
    started = time.perf_counter()
    try:
        async with asyncio.timeout(_PING_SECONDS):
            await ping()
        reachable = True
    except (UnavailableError, TimeoutError):
        reachable = False
    return Check(reachable, round((time.perf_counter() - started) * 1000, 1))
