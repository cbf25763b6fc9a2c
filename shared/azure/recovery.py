"""Backup jobs of Recovery Services vaults through `azure-mgmt-recoveryservicesbackup`."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from azure.core.exceptions import HttpResponseError
from azure.identity.aio import ManagedIdentityCredential
from azure.mgmt.recoveryservicesbackup.aio import RecoveryServicesBackupClient
from azure.mgmt.recoveryservicesbackup.models import JobResource

from shared.azure.faults import as_unavailable
from shared.errors import UnavailableError, kind_and_place
from shared.ports import BackupJob

# The bound covers the SDK's retries: Azure Resource Manager may throttle a client for minutes.
_LISTING_SECONDS = 60.0
# The service selects jobs by the start alone, but a job from before a range may end in the range.
# A backup of a virtual machine takes up to a day, the first backup longer.
# Source: "An overview of Azure VM backup", backup performance (learn.microsoft.com).
_LONGEST_RUN = timedelta(days=2)

logger = logging.getLogger("vouchsafe.recovery")


class AzureRecoveryVaults:
    """`shared.ports.RecoveryVaults` on the vaults of one resource group.

    `endpoint` is the URL of Azure Resource Manager. The app's managed identity needs the role
    Backup Reader on the vaults.
    """

    def __init__(self, endpoint: str, subscription: str, resource_group: str) -> None:
        endpoint = endpoint.rstrip("/")
        self._credential = ManagedIdentityCredential()
        self._client = RecoveryServicesBackupClient(
            self._credential,
            subscription,
            endpoint,
            credential_scopes=[f"{endpoint}/.default"],
            connection_timeout=5,
            read_timeout=20,
        )
        self._resource_group = resource_group

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
        await self._credential.close()

    async def backup_jobs(
        self, vault: str, since: datetime, until: datetime
    ) -> Sequence[BackupJob]:
        filter_ = _filter(since - _LONGEST_RUN, until)
        listed = self._client.backup_jobs.list(vault, self._resource_group, filter=filter_)
        try:
            async with asyncio.timeout(_LISTING_SECONDS):
                with as_unavailable("recovery"):
                    jobs = [_job(resource) async for resource in listed]
        except HttpResponseError as error:
            # The operator has to mend a missing or forbidden vault.
            logger.warning("Azure Resource Manager refused a vault's jobs: %s", error.status_code)
            raise UnavailableError("recovery") from error
        except TimeoutError as error:
            raise UnavailableError("recovery") from error
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            # The SDK cannot read a page that differs from the service's contract.
            logger.warning("a vault's jobs cannot be read: %s", kind_and_place(error))
            raise UnavailableError("recovery") from error
        return [
            job for job in jobs if job.started < until and (job.ended is None or job.ended >= since)
        ]


def _filter(start: datetime, end: datetime) -> str:
    """Return the filter for the backups that started between two moments.

    The service knows whole seconds: the range is widened to whole seconds. The operator is `eq` for
    the start and for the end. Source: "Backup Jobs - List", URI parameters
    (learn.microsoft.com/rest/api/backup).
    """
    whole_end = end if end.microsecond == 0 else end + timedelta(seconds=1)
    return (
        f"operation eq 'Backup' and startTime eq '{_in_seconds(start)}'"
        f" and endTime eq '{_in_seconds(whole_end)}'"
    )


def _in_seconds(moment: datetime) -> str:
    """Write a moment in the filter's form, `yyyy-MM-dd hh:mm:ss tt`, in UTC."""
    utc = moment.astimezone(UTC)
    half = "AM" if utc.hour < 12 else "PM"
    return f"{utc:%Y-%m-%d %I:%M:%S} {half}"


def _job(resource: JobResource) -> BackupJob:
    """Read one job.

    Raises UnavailableError for a job without item, status or start, and for a time without a zone.
    The SDK hands over an unreadable time as received.
    """
    job = resource.properties
    if job is None or not job.entity_friendly_name or not job.status:
        raise UnavailableError("recovery")
    return BackupJob(
        item=job.entity_friendly_name,
        status=job.status,
        started=_moment(job.start_time),
        ended=None if job.end_time is None else _moment(job.end_time),
    )


def _moment(value: object) -> datetime:
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise UnavailableError("recovery")
    return value
