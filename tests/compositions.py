"""The app's composition within a test's own process, on services that run."""

import base64
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from shared.accesses import Accesses
from shared.accesslog import LogStore
from shared.accesslog.arrivals import Arrivals
from shared.accesslog.integrity.watch import IntegrityWatch
from shared.accesslog.proofs.checkpoints import Checkpoints
from shared.accesslog.reading.exports import Exports
from shared.accesslog.reading.listing import Reading
from shared.assets import Assets
from shared.blob_names import incoming_name
from shared.catalogue import INCOMING_CONTAINER
from shared.composition import Composition
from shared.composition.accesses import AccessesFlow
from shared.composition.accesslog import AccessLogFlow
from shared.composition.assets import AssetsFlow
from shared.composition.consents import ConsentsFlow
from shared.composition.erasures import ErasuresFlow
from shared.composition.failed_messages import FailedMessagesFlow
from shared.composition.incidents import IncidentsFlow
from shared.composition.intake import IntakeFlow
from shared.composition.messages import MessagesFlow
from shared.composition.rereads import RereadsFlow
from shared.composition.rescans import RescansFlow
from shared.composition.scanning import ScanningFlow
from shared.composition.tenancy import TenancyFlow
from shared.consents import Consents
from shared.erasures import Erasures
from shared.errors import DataKeyError
from shared.failed_messages.watch import FailedMessageWatch
from shared.identity import Caller
from shared.identity.rules import VENDOR_SERVICE
from shared.ids import new_id
from shared.incidents import Incidents
from shared.incidents.records.desk import IncidentDesk
from shared.incidents.records.intake import IncidentIntake
from shared.incidents.records.timer import EscalationTimer
from shared.intake import Intake
from shared.intake.permits import FileAsked, Permit, Permits
from shared.intake.queueing import UploadQueues
from shared.messages import Outbox
from shared.messages.contracts import BlobUploaded
from shared.ports import (
    Blobs,
    Bus,
    Clock,
    DataKey,
    DataKeys,
    Secret,
    Secrets,
    SecretVersion,
    Tables,
)
from shared.rereads import Rereads
from shared.rescans import Rescans, Schedule
from shared.scanning.defender import ScanResults
from shared.scanning.engines import Engines
from shared.settings import read_settings
from shared.tenancy import Registration, Tenants

_VALUE = base64.b64encode(b"a key of 32 bytes of these tests").decode()


class OneSecret:
    """A vault with one secret, in place of the real one, for which this process has no identity."""

    async def get(self, _name: str) -> Secret:
        return Secret(_VALUE, "1")

    async def versions(self, _name: str) -> Sequence[SecretVersion]:
        return [SecretVersion(_VALUE, "1", datetime(2026, 1, 1, tzinfo=UTC))]

    async def disabled(self, _name: str) -> Mapping[str, datetime]:
        return {}

    async def ping(self, _needed: Sequence[str]) -> None:
        return


class OneDataKey:
    """A vault with one data key for each tenant, for the reason of `OneSecret`."""

    async def newest(self, tenant: str) -> DataKey:
        return DataKey(hashlib.sha256(tenant.encode()).digest(), "1")

    async def version(self, tenant: str, version: str) -> DataKey:
        if version != "1":
            raise DataKeyError(tenant, "destroyed")
        return await self.newest(tenant)

    async def destroy(self, _tenant: str) -> datetime | None:
        return None

    async def ping(self) -> None:
        return


class App(Composition):
    """The app's composition with every adapter and service within a test's reach."""

    async def close(self) -> None:
        """Close the connections to Azure's services."""
        from shared.azure.blobs import AzureBlobs
        from shared.azure.bus import AzureBus
        from shared.azure.data_keys import KeyVaultDataKeys
        from shared.azure.secrets import KeyVaultSecrets
        from shared.azure.tables import AzureTables

        vaults = self.adapters.secrets, self.adapters.data_keys
        for adapter in (self.tables, self.blobs, self.bus, *vaults):
            if isinstance(
                adapter, AzureBlobs | AzureBus | AzureTables | KeyVaultDataKeys | KeyVaultSecrets
            ):
                await adapter.close()

    @property
    def tables(self) -> Tables:
        return self.adapters.tables

    @property
    def blobs(self) -> Blobs:
        return self.adapters.blobs

    @property
    def bus(self) -> Bus:
        return self.adapters.bus

    @property
    def secrets(self) -> Secrets:
        return self.adapters.secrets

    def new_id(self) -> str:
        return new_id(self.clock())

    @property
    def outbox(self) -> Outbox:
        return self.flow(MessagesFlow).outbox

    @property
    def incidents(self) -> Incidents:
        return self.flow(IncidentsFlow).incidents

    @property
    def desk(self) -> IncidentDesk:
        return self.flow(IncidentsFlow).desk

    @property
    def incident_intake(self) -> IncidentIntake:
        return self.flow(IncidentsFlow).intake

    @property
    def escalation(self) -> EscalationTimer:
        return self.flow(IncidentsFlow).escalation

    @property
    def failed_message_watch(self) -> FailedMessageWatch:
        return self.flow(FailedMessagesFlow).watch

    @property
    def log_store(self) -> LogStore:
        return self.flow(MessagesFlow).log_store

    @property
    def tenants(self) -> Tenants:
        return self.flow(TenancyFlow).tenants

    @property
    def assets(self) -> Assets:
        return self.flow(AssetsFlow).assets

    @property
    def intake(self) -> Intake:
        return self.flow(IntakeFlow).intake

    @property
    def queues(self) -> UploadQueues:
        return self.flow(IntakeFlow).queues

    @property
    def permits(self) -> Permits:
        return self.flow(IntakeFlow).permits

    @property
    def engines(self) -> Engines:
        return self.flow(ScanningFlow).engines

    @property
    def scan_results(self) -> ScanResults:
        return self.flow(ScanningFlow).scan_results

    @property
    def accesses(self) -> Accesses:
        return self.flow(AccessesFlow).accesses

    @property
    def consents(self) -> Consents:
        return self.flow(ConsentsFlow).consents

    @property
    def erasures(self) -> Erasures:
        return self.flow(ErasuresFlow).erasures

    @property
    def rereads(self) -> Rereads:
        return self.flow(RereadsFlow).rereads

    @property
    def rescans(self) -> Rescans:
        return self.flow(RescansFlow).rescans

    @property
    def rescan_schedule(self) -> Schedule:
        return self.flow(RescansFlow).schedule

    @property
    def arrivals(self) -> Arrivals:
        return self.flow(AccessLogFlow).arrivals

    @property
    def checkpoints(self) -> Checkpoints:
        return self.flow(AccessLogFlow).checkpoints

    @property
    def log_reading(self) -> Reading:
        return self.flow(AccessLogFlow).reading

    @property
    def log_watch(self) -> IntegrityWatch:
        return self.flow(AccessLogFlow).watch

    @property
    def log_exports(self) -> Exports:
        return self.flow(AccessLogFlow).exports


PORTAL = Caller("portal", frozenset({VENDOR_SERVICE}), None, "vendor")


async def registered(app: App, tenant: str | None = None) -> str:
    """Register a tenant as the portal does, a new one where none is named; its id."""
    tenant = tenant or f"t{new_id(datetime.now(UTC)).lower()}"
    registration = Registration(id=tenant, display_name="A tenant", residency_zone="eu")
    await app.tenants.register(registration, PORTAL, app.new_id())
    return tenant


async def permitted(app: App, tenant: str, path: str, size: int) -> str:
    """Permit the upload of a file, as the portal does; the name of its blob in `incoming`."""
    file = FileAsked(app.new_id(), path, size, "image/jpeg")
    known = await app.tenants.require(tenant)
    [permit] = await app.permits.permit(known, [file], "mia")
    assert isinstance(permit, Permit), permit
    return incoming_name(tenant, permit.id)


async def arrived(app: App, tenant: str, path: str, data: bytes) -> BlobUploaded:
    """Permit a file and put the file into `incoming`; what the trigger would say of it."""
    from azure.storage.blob.aio import BlobClient

    name = await permitted(app, tenant, path, len(data))
    async with BlobClient.from_connection_string(
        app.settings.DAM_STORAGE, INCOMING_CONTAINER.name, name
    ) as blob:
        # The host may take the blob in before a test can look at it.
        stored = await blob.upload_blob(data)
    return BlobUploaded(name=name, etag=stored["etag"], last_modified=stored["last_modified"])


@asynccontextmanager
async def composed(
    settings: Mapping[str, str],
    secrets: Secrets | None = None,
    clock: Clock | None = None,
    data_keys: DataKeys | None = None,
) -> AsyncIterator[App]:
    """The app with these settings; `secrets` and `data_keys` in place of the vaults, `clock` of
    the real time.
    """
    app = App(read_settings(settings), **({"clock": clock} if clock else {}))
    app.adapters.secrets = secrets or OneSecret()
    app.adapters.data_keys = data_keys or OneDataKey()
    try:
        yield app
    finally:
        await app.close()
