"""The `$filter` of "Backup Jobs - List": equations joined by `and`.

The grammar is the service's own and narrower than OData's. `startTime` and `endTime` take the
operator `eq` and are the ends of a range for the start of a job. Sources: the parameter's text in
the API's specification of 2017-07-01 (github.com/Azure/azure-rest-api-specs), and the parameters
From and To of Get-AzRecoveryServicesBackupJob (learn.microsoft.com).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from infra.local.recovery.errors import bad_request

_EQUATION = re.compile(r"\s*(\w+)\s+eq\s+'([^']*)'\s*")
_PROPERTIES = ("operation", "status", "backupManagementType")
_REFUSAL = (
    "The inputs specified for Get jobs API are incorrect. Please check your inputs and try again."
    " The filter options are status, backupManagementType, operation, jobId, startTime and endTime,"
    " each with eq and joined by and; a time is of the form 'yyyy-MM-dd hh:mm:ss tt'."
)


@dataclass(frozen=True)
class JobFilter:
    """The wanted values of a job's properties, the job's id, and the range of the job's start."""

    properties: Mapping[str, str]
    job_id: str | None
    start: datetime
    end: datetime

    def takes(self, resource: Mapping[str, Any], started: datetime) -> bool:
        """Tell whether a `JobResource` passes the filter. The range includes its two ends."""
        properties = resource["properties"]
        return (
            self.start <= started <= self.end
            and self.job_id in (None, resource["name"])
            and all(properties[name] == value for name, value in self.properties.items())
        )


def parse_filter(text: str) -> JobFilter:
    """Read a filter; an empty text takes every job. Raises ResourceManagerError."""
    given: dict[str, str] = {}
    for part in re.split(r"\band\b", text) if text.strip() else ():
        equation = _EQUATION.fullmatch(part)
        if equation is None or equation[1] in given:
            raise bad_request(_REFUSAL)
        given[equation[1]] = equation[2]
    start, end = _moment(given.pop("startTime", None)), _moment(given.pop("endTime", None))
    job_id = given.pop("jobId", None)
    if not given.keys() <= set(_PROPERTIES):
        raise bad_request(_REFUSAL)
    earliest, latest = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    return JobFilter(given, job_id, start or earliest, end or latest)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d %I:%M:%S %p").replace(tzinfo=UTC)
    except ValueError:
        raise bad_request(_REFUSAL) from None
