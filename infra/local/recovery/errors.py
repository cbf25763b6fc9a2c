"""Refusals in the form of Azure Resource Manager: a status, and a body with code and message.

"Common error codes in Azure Resource Manager" and "Common API details, error responses"
(learn.microsoft.com).
"""

from collections.abc import Mapping

from starlette.responses import JSONResponse, Response


class ResourceManagerError(Exception):
    """A refusal of Azure Resource Manager: a status, a code, a message and headers."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers

    def response(self) -> Response:
        """Return the answer to the client."""
        error = {"code": self.code, "message": self.message}
        return JSONResponse({"error": error}, status_code=self.status, headers=self.headers)


def unauthenticated(reason: str, issuer: str) -> ResourceManagerError:
    """Refuse a request without a good token; the challenge names the issuer."""
    challenge = (
        f'Bearer authorization_uri="{issuer}", error="invalid_token", error_description="{reason}"'
    )
    message = f"Authentication failed. {reason}"
    return ResourceManagerError(
        401, "AuthenticationFailed", message, {"WWW-Authenticate": challenge}
    )


def no_api_version() -> ResourceManagerError:
    """Refuse a request without `api-version`: the parameter has no default."""
    message = "The api-version query parameter (?api-version=) is required for all requests."
    return ResourceManagerError(400, "MissingApiVersionParameter", message)


def bad_api_version(version: str) -> ResourceManagerError:
    """Refuse a request whose `api-version` is not a date."""
    message = f"The api-version '{version}' is invalid. It must be of the form 'yyyy-mm-dd'."
    return ResourceManagerError(400, "InvalidApiVersionParameter", message)


def no_subscription(subscription: str) -> ResourceManagerError:
    """Refuse every subscription but the stack's."""
    message = f"The subscription '{subscription}' could not be found."
    return ResourceManagerError(404, "SubscriptionNotFound", message)


def no_resource_group(group: str) -> ResourceManagerError:
    """Refuse every resource group but the stack's."""
    message = f"Resource group '{group}' could not be found."
    return ResourceManagerError(404, "ResourceGroupNotFound", message)


def no_vault(vault: str, group: str) -> ResourceManagerError:
    """Refuse a vault without an entry in the scenario."""
    message = (
        f"The Resource 'Microsoft.RecoveryServices/vaults/{vault}' under resource group '{group}'"
        " was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    )
    return ResourceManagerError(404, "ResourceNotFound", message)


def bad_request(message: str) -> ResourceManagerError:
    """Refuse an unknown filter or skip token. The code is a guess: Azure does not document it."""
    return ResourceManagerError(400, "BMSUserErrorInvalidInput", message)


def fault(status: int, retry_after: int | None) -> ResourceManagerError:
    """Answer with the status in the scenario, for example 429 or 503."""
    code = {403: "AuthorizationFailed", 429: "TooManyRequests", 503: "ServerBusy"}.get(
        status, "InternalServerError"
    )
    headers = None if retry_after is None else {"Retry-After": str(retry_after)}
    return ResourceManagerError(status, code, "The scenario lets the vault fail.", headers)
