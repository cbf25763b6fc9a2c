"""The place where the SDKs' transport faults become `UnavailableError`."""

from collections.abc import Iterator
from contextlib import contextmanager

from azure.core.exceptions import (
    HttpResponseError,
    IncompleteReadError,
    ServiceRequestError,
    ServiceResponseError,
)

from shared.errors import UnavailableError

# Azure's answers that ask for a later retry: 408, 429 and 5xx.
_TRANSIENT = {408, 429, 500, 502, 503, 504}
# Refusals of the app, not of one request: a missing role, a rotated key, a disabled account. An
# operator ends the fault, so the app waits ("Common REST API error codes", learn.microsoft.com).
_REFUSED_APP = {
    "AccountIsDisabled",
    "AuthenticationFailed",
    "AuthorizationFailure",
    "AuthorizationPermissionMismatch",
    "AuthorizationProtocolMismatch",
    "AuthorizationSourceIPMismatch",
    "InsufficientAccountPermissions",
    "InvalidAuthenticationInfo",
    "NoAuthenticationInformation",
}


@contextmanager
def as_unavailable(service: str) -> Iterator[None]:
    """Turn a transient fault into `UnavailableError(service)`; any other fault passes through."""
    try:
        yield
    except (ServiceRequestError, ServiceResponseError, IncompleteReadError) as error:
        raise UnavailableError(service) from error
    except HttpResponseError as error:
        # An error without a status is no answer: a download broke off in the midst of the bytes.
        if error.status_code in (None, *_TRANSIENT) or error_code(error) in _REFUSED_APP:
            raise UnavailableError(service) from error
        raise


def error_code(error: HttpResponseError) -> str | None:
    """Return the service's code of an error; None where the answer has none."""
    code = getattr(error, "error_code", None)
    return None if code is None else str(getattr(code, "value", code))
