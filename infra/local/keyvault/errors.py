"""Key Vault's error responses: a status, and a body with code, message and inner code.

"Azure Key Vault REST API error codes" and "Authentication, requests and responses"
(learn.microsoft.com/azure/key-vault/general).
"""

from starlette.responses import JSONResponse, Response

# The service's own words; clients and people search for the text.
NOT_FOUND = (
    "{kind} with (name/id) {sought} was not found in this key vault. If you recently deleted this"
    " secret you may be able to recover it using the correct recovery command."
)
NAME_RESERVED = (
    "Secret {name} is currently in a deleted but recoverable state, and its name cannot be reused;"
    " in this state, the secret can only be recovered or purged."
)


class VaultError(Exception):
    """A refusal with Key Vault's status and codes."""

    def __init__(self, status: int, code: str, message: str, inner: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.inner = inner

    def response(self) -> Response:
        """Build the error response."""
        error: dict[str, object] = {"code": self.code, "message": self.message}
        if self.inner is not None:
            error["innererror"] = {"code": self.inner}
        return JSONResponse({"error": error}, status_code=self.status)


def bad_parameter(message: str) -> VaultError:
    """Refuse a malformed request, or a request beyond the contract."""
    return VaultError(400, "BadParameter", message)


def not_found(sought: str, kind: str = "A secret") -> VaultError:
    """Refuse a name without a secret, version or deleted secret."""
    return VaultError(404, "SecretNotFound", NOT_FOUND.format(kind=kind, sought=sought))


def disabled() -> VaultError:
    """Refuse to read the value of a disabled version."""
    message = "Operation get is not allowed on a disabled secret."
    return VaultError(403, "Forbidden", message, "SecretDisabled")


def name_reserved(name: str) -> VaultError:
    """Refuse the name of a deleted secret until the secret is purged."""
    return VaultError(
        409, "Conflict", NAME_RESERVED.format(name=name), "ObjectIsDeletedButRecoverable"
    )


def name_taken(name: str) -> VaultError:
    """Refuse to restore a secret over a secret of the same name."""
    return VaultError(409, "Conflict", f"A secret with the name {name} already exists.")


def not_implemented(what: str) -> VaultError:
    """Refuse a feature of Key Vault that the stand-in leaves out."""
    return VaultError(501, "NotImplemented", f"The local Key Vault stand-in leaves out {what}.")
