"""Problems: the answers to a failed request (RFC 9457).

A problem has a stable `type`, a `title`, a `detail` that names the fault, and a `remedy` that says
how to go on.
"""

import logging
import math
from collections.abc import Mapping

import azure.functions as func
import msgspec

from functions.edge.bodies import View
from shared.errors import (
    IntegrityError,
    RefusalError,
    RowConflictError,
    TooManyRequestsError,
    UnavailableError,
    kind_and_place,
)

MEDIA_TYPE = "application/problem+json"
_TYPE = "urn:vouchsafe:problem:"

logger = logging.getLogger("vouchsafe.http")


class Problem(View, frozen=True):
    """The fault of a request (RFC 9457). `type` is stable; `remedy` says how to go on."""

    type: str
    title: str
    status: int
    detail: str
    remedy: str


def refused(reason: RefusalError) -> Problem:
    """Return the problem of a refusal."""
    return Problem(
        type=_TYPE + reason.code,
        title=reason.title,
        status=reason.status,
        detail=reason.detail,
        remedy=reason.remedy,
    )


def problem_of(error: Exception) -> func.HttpResponse:
    """Return the answer for an error, and log the error without any foreign text."""
    if isinstance(error, RefusalError):
        headers = {}
        if isinstance(error, TooManyRequestsError):
            headers["Retry-After"] = str(math.ceil(error.wait))
        return _response(refused(error), headers)
    if isinstance(error, UnavailableError):
        logger.warning("%s is unavailable", error.service)
        return _problem(
            503,
            "service-unavailable",
            "Service unavailable",
            f"A service that this needs does not answer: {error.service}.",
            "Try again in some seconds.",
            {"Retry-After": "5"},
        )
    if isinstance(error, IntegrityError):
        logger.error("%s", error)
        return _problem(
            500,
            "log-damaged",
            "Log damaged",
            "The access log was changed past this service and does not add up any more.",
            error.remedy,
        )
    if isinstance(error, RowConflictError):
        return _problem(
            409,
            "state-changed",
            "State changed",
            "Somebody else changed the same thing at the same time.",
            "Read it again and repeat the request.",
        )
    logger.error("unforeseen %s", kind_and_place(error))
    return _problem(
        500,
        "internal-error",
        "Internal error",
        "The request failed for a reason that was not foreseen; it has been logged.",
        "Try again; if it fails again, report the time of the request.",
    )


def _problem(
    status: int,
    code: str,
    title: str,
    detail: str,
    remedy: str,
    headers: Mapping[str, str] | None = None,
) -> func.HttpResponse:
    problem = Problem(type=_TYPE + code, title=title, status=status, detail=detail, remedy=remedy)
    return _response(problem, headers)


def _response(problem: Problem, headers: Mapping[str, str] | None = None) -> func.HttpResponse:
    extra = {"WWW-Authenticate": "Bearer"} if problem.status == 401 else {}
    return func.HttpResponse(
        msgspec.json.encode(problem),
        status_code=problem.status,
        headers={"Cache-Control": "no-store", **extra, **(headers or {})},
        mimetype=MEDIA_TYPE,
    )
