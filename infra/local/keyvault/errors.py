"""Refusals in Key Vault's form: a status, and a body with a code, a message, an inner code.

"Azure Key Vault REST API error codes" and "Authentication, requests and responses"
(learn.microsoft.com/azure/key-vault/general).
"""

from starlette.responses import JSONResponse, Response

# The service's own words; clients and people search for them.
NOT_FOUND = (
    "{kind} with (name/id) {sought} was not found in this key vault. If you recently deleted this"
    " secret you may be able to recover it using the correct recovery command."
)
NAME_RESERVED = (
    "Secret {name} is currently in a deleted but recoverable state, and its name cannot be reused;"
    " in this state, the secret can only be recovered or purged."
)


class VaultError(Exception):
    """A refusal with the status and codes that Key Vault answers with."""

    def __init__(self, status: int, code: str, message: str, inner: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.inner = inner

    def response(self) -> Response:
        """The answer that says so."""
        error: dict[str, object] = {"code": self.code, "message": self.message}
        if self.inner is not None:
            error["innererror"] = {"code": self.inner}
        return JSONResponse({"error": error}, status_code=self.status)


def bad_parameter(message: str) -> VaultError:
    """A request that is not well formed, or that asks for what its contract does not know."""
    return VaultError(400, "BadParameter", message)


def not_found(sought: str, kind: str = "A secret") -> VaultError:
    """No secret, version or deleted secret of that name."""
    return VaultError(404, "SecretNotFound", NOT_FOUND.format(kind=kind, sought=sought))


def disabled() -> VaultError:
    """The version is there, but its value may not be read."""
    message = "Operation get is not allowed on a disabled secret."
    return VaultError(403, "Forbidden", message, "SecretDisabled")


def name_reserved(name: str) -> VaultError:
    """The name belongs to a deleted secret until that is purged."""
    return VaultError(
        409, "Conflict", NAME_RESERVED.format(name=name), "ObjectIsDeletedButRecoverable"
    )


def name_taken(name: str) -> VaultError:
    """A restored secret would take the place of one that is there."""
    return VaultError(409, "Conflict", f"A secret with the name {name} already exists.")


def not_implemented(what: str) -> VaultError:
    """Something that Key Vault does and this stand-in does not."""
    return VaultError(501, "NotImplemented", f"The local Key Vault stand-in leaves out {what}.")
