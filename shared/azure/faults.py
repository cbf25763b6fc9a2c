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


@contextmanager
def as_unavailable(service: str) -> Iterator[None]:
    """Turn a transient fault into `UnavailableError(service)`; any other fault passes through."""
    try:
        yield
    except (ServiceRequestError, ServiceResponseError, IncompleteReadError) as error:
        raise UnavailableError(service) from error
    except HttpResponseError as error:
        if error.status_code in _TRANSIENT:
            raise UnavailableError(service) from error
        raise
