"""The operation "Backup Jobs - List" of Azure Resource Manager over HTTP.

https://learn.microsoft.com/rest/api/backup/backup-jobs/list
"""

import asyncio
import logging
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infra.local.keyvault.bearer import BearerTokens
from infra.local.recovery import errors
from infra.local.recovery.errors import ResourceManagerError
from infra.local.recovery.filters import parse_filter
from infra.local.recovery.scenario import Scenario, ScenarioFile, ScenarioJob

PATH = (
    "/subscriptions/{subscription}/resourceGroups/{group}"
    "/providers/Microsoft.RecoveryServices/vaults/{vault}/backupJobs"
)
# A small page makes every client follow `nextLink`.
PAGE_SIZE = 2
API_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?", re.ASCII)
SKIP_TOKEN = re.compile("[0-9]{1,9}")

logger = logging.getLogger("uvicorn.error")


def _utc_now() -> datetime:
    return datetime.now(UTC)


class BackupJobs:
    """The operation on the vaults of the stack's resource group.

    `endpoint` is the URL of the process. Links to further pages begin with `endpoint`.
    """

    def __init__(
        self,
        endpoint: str,
        subscription: str,
        resource_group: str,
        scenario: ScenarioFile,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._endpoint = endpoint
        self._subscription = subscription
        self._group = resource_group
        self._scenario = scenario
        self._clock = clock

    async def list_jobs(self, request: Request) -> Response:
        """Answer a page of a vault's jobs, in the order of the file."""
        _check_api_version(request)
        vault = self._vault(request)
        scenario = await self._read()
        if vault not in scenario.vaults and vault not in scenario.faults:
            raise errors.no_vault(vault, self._group)
        fault = self._scenario.next_fault(scenario, vault)
        if fault is not None:
            await asyncio.sleep(fault.delay)
            raise errors.fault(fault.status, fault.retry_after)
        return self._page(request, scenario.vaults.get(vault, ()))

    def _vault(self, request: Request) -> str:
        """Return the vault's name in lower case. ARM compares names of resources without case."""
        path = {name: str(value).lower() for name, value in request.path_params.items()}
        if path["subscription"] != self._subscription.lower():
            raise errors.no_subscription(path["subscription"])
        if path["group"] != self._group.lower():
            raise errors.no_resource_group(path["group"])
        return path["vault"]

    async def _read(self) -> Scenario:
        try:
            scenario = await asyncio.to_thread(self._scenario.read)
        except (OSError, msgspec.DecodeError) as error:
            logger.warning("The scenario cannot be read: %s", error)
            raise errors.fault(503, None) from error
        return Scenario(
            vaults={name.lower(): jobs for name, jobs in scenario.vaults.items()},
            faults={name.lower(): fault for name, fault in scenario.faults.items()},
        )

    def _page(self, request: Request, jobs: tuple[ScenarioJob, ...]) -> Response:
        query = request.query_params
        wanted = parse_filter(query.get("$filter", ""))
        token = query.get("$skipToken", "0")
        if not SKIP_TOKEN.fullmatch(token):
            raise errors.bad_request("The skip token is not of this operation.")
        now = self._clock()
        shown: list[dict[str, Any]] = []
        for number, job in enumerate(jobs):
            if number < int(token):
                continue
            started = now - timedelta(hours=job.started_hours_ago)
            resource = _resource(request.url.path, number, job, now)
            if not wanted.takes(resource, started):
                continue
            if len(shown) == PAGE_SIZE:
                # The token is the number of a job in the file: pages stay in step as time passes.
                further = urlencode({**query, "$skipToken": number}, quote_via=quote)
                link = f"{self._endpoint}{request.url.path}?{further}"
                return JSONResponse({"value": shown, "nextLink": link})
            shown.append(resource)
        return JSONResponse({"value": shown})


def create_app(jobs: BackupJobs, tokens: BearerTokens) -> Starlette:
    """Make the ASGI app. `tokens` checks the token of every request."""

    def unauthorized(_: HTTPConnection, error: Exception) -> Response:
        return errors.unauthenticated(str(error), tokens.issuer).response()

    return Starlette(
        routes=[Route("/healthstatus", _health), Route(PATH, jobs.list_jobs)],
        middleware=[
            Middleware(AuthenticationMiddleware, backend=tokens, on_error=unauthorized),
        ],
        exception_handlers={ResourceManagerError: _refuse, HTTPException: _refuse_operation},
    )


def _check_api_version(request: Request) -> None:
    version = request.query_params.get("api-version")
    if not version:
        raise errors.no_api_version()
    if not API_VERSION.fullmatch(version):
        raise errors.bad_api_version(version)


def _resource(path: str, number: int, job: ScenarioJob, now: datetime) -> dict[str, Any]:
    """Show a job as a `JobResource`. A running job has no `endTime`."""
    name = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{path.lower()}/{number}"))
    properties = {
        "jobType": "AzureWorkloadJob",
        "entityFriendlyName": job.item,
        "backupManagementType": "AzureWorkload",
        "operation": job.operation,
        "status": job.status,
        "startTime": _written(now - timedelta(hours=job.started_hours_ago)),
        "activityId": name,
    }
    if job.ended_hours_ago is not None:
        properties["endTime"] = _written(now - timedelta(hours=job.ended_hours_ago))
    return {
        "id": f"{path}/{name}",
        "name": name,
        "type": "Microsoft.RecoveryServices/vaults/backupJobs",
        "properties": properties,
    }


def _written(moment: datetime) -> str:
    """Write a moment in the service's form, with seven digits of a second."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"


async def _health(_: Request) -> Response:
    return Response()


async def _refuse(_: Request, error: Exception) -> Response:
    if not isinstance(error, ResourceManagerError):
        raise error
    return error.response()


async def _refuse_operation(request: Request, error: Exception) -> Response:
    """Refuse an unknown path or method."""
    if not isinstance(error, HTTPException):
        raise error
    message = f"The local stand-in has no operation {request.method} {request.url.path}."
    return ResourceManagerError(error.status_code, "InvalidResourceType", message).response()
