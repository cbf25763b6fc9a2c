"""Disclosures: the record, in the tenant's access log, of an endpoint's answer.

The way in records the answer, and not the handler, so that no endpoint forgets the record. Every
endpoint declares the disclosure. `tests/edge/test_disclosures.py` lists the endpoints that declare
NOTHING, each with the reason and the types of the replies.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    # Imported for the names alone; a cold start would pay for the modules.
    from shared.accesslog import AccessLog
    from shared.identity import Caller


@dataclass(frozen=True, slots=True)
class Disclosed:
    """An answer that is recorded before the caller gets the answer.

    `resource` names the thing that was found: an id, with route parameters in braces. An answer
    whose handler changed something is not recorded a second time: the change is in the log. The
    handler's reply names the resource and the tenant where only the handler knows the ids.
    """

    action: str
    resource: str = ""


@dataclass(frozen=True, slots=True)
class LogRead:
    """A question about a tenant's log: recorded for the vendor's people, before any refusal."""

    resource: str


@dataclass(frozen=True, slots=True)
class RecordedByFlow:
    """An answer that the flow itself records, in each case; `why` says where."""

    why: str


type Disclosure = Disclosed | LogRead | RecordedByFlow

NOTHING: Final = None
"""The declaration of an endpoint that gives away no tenant's data."""


async def record_question(
    log: "AccessLog", disclosure: Disclosure | None, tenant: str | None, caller: "Caller"
) -> None:
    """Record a question about a tenant's log. Raises UnavailableError where the log is down."""
    if isinstance(disclosure, LogRead) and tenant is not None:
        await log.record_disclosure(tenant, caller, disclosure.resource)


async def record_answer(
    log: "AccessLog",
    disclosure: Disclosure | None,
    tenant: str | None,
    caller: "Caller",
    parameters: Mapping[str, str],
    resource: str | tuple[str, ...] | None,
) -> None:
    """Record an answer. `resource` is what the handler named, if anything: each thing is an entry.

    Raises UnavailableError where the entry cannot be kept, and LookupError for the answer of no
    tenant: the caller gets no answer then.
    """
    if isinstance(disclosure, Disclosed):
        if tenant is None:
            raise LookupError(f"an answer of {disclosure.action} names no tenant")
        if resource is None:
            resource = disclosure.resource.format(**parameters)
        named = (resource,) if isinstance(resource, str) else resource
        await asyncio.gather(
            *(log.record_answer(tenant, caller, disclosure.action, one) for one in named)
        )
