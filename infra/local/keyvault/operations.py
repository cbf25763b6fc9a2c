"""The operations on secrets of the Key Vault REST API reference.

https://learn.microsoft.com/rest/api/keyvault/secrets/operation-groups
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from infra.local.keyvault import errors, requests, responses
from infra.local.keyvault.store import NotABackupError, SecretStore, StoredSecret, StoredVersion


class SecretOperations:
    """The operations on secrets; each answers an authorised request, or raises VaultError."""

    def __init__(self, store: SecretStore, vault_url: str) -> None:
        self._store = store
        self._url = vault_url

    async def get_secret(self, request: Request) -> Response:
        """Return a secret, also before and after its validity period, but never a disabled secret.

        "About Azure Key Vault secrets", date-time controlled operations.
        """
        requests.check_output(request)
        secret, version = self._version(request)
        if not version["attributes"]["enabled"]:
            raise errors.disabled()
        return JSONResponse(responses.with_value(self._url, secret, version))

    async def set_secret(self, request: Request) -> Response:
        """Make a secret, or a new version of a secret."""
        name = requests.new_name(request)
        given = await requests.body(request, ("value", "contentType", "tags", "attributes"))
        value, properties = requests.secret_value(given), requests.properties(given)
        if self._store.get_deleted(name):
            raise errors.name_reserved(name)
        secret, version = self._store.add(name, value, **vars(properties))
        return JSONResponse(responses.with_value(self._url, secret, version))

    async def update_secret(self, request: Request) -> Response:
        """Change the given properties of a version; the value of a version never changes."""
        given = await requests.body(request, ("contentType", "tags", "attributes"))
        properties = requests.properties(given)
        secret, version = self._version(request)
        self._store.update(version, **vars(properties))
        return JSONResponse(responses.of_version(self._url, secret, version))

    async def list_secrets(self, request: Request) -> Response:
        """Return a page of the secrets, without versions and values."""
        live = self._store.live()
        items = {secret.name: responses.of_secret(self._url, secret) for secret in live}
        return responses.page(self._url, request, items)

    async def list_versions(self, request: Request) -> Response:
        """Return a page of a secret's versions by version id; the order says nothing of age.

        The reference promises no order, and a client must not rely on the order of creation.
        """
        secret = self._store.get(request.path_params["name"])
        items = {}
        if secret is not None:
            for each in sorted(secret.versions, key=lambda version: version["version"]):
                items[each["version"]] = responses.of_version(self._url, secret, each)
        return responses.page(self._url, request, items)

    async def delete_secret(self, request: Request) -> Response:
        """Delete every version of a secret; the deletion can be recovered."""
        secret = self._live(request)
        self._store.delete(secret)
        return JSONResponse(responses.of_deleted(self._url, secret, with_version=True))

    async def get_deleted_secret(self, request: Request) -> Response:
        """Return a deleted secret without its value."""
        return JSONResponse(
            responses.of_deleted(self._url, self._deleted(request), with_version=True)
        )

    async def list_deleted_secrets(self, request: Request) -> Response:
        """Return a page of the deleted secrets that can still be recovered."""
        deleted = self._store.deleted()
        items = {
            secret.name: responses.of_deleted(self._url, secret, with_version=False)
            for secret in deleted
        }
        return responses.page(self._url, request, items)

    async def recover_secret(self, request: Request) -> Response:
        """Undo a deletion."""
        secret = self._deleted(request)
        self._store.recover(secret)
        return JSONResponse(responses.of_version(self._url, secret, secret.current))

    async def purge_secret(self, request: Request) -> Response:
        """Remove a deleted secret for good."""
        self._store.purge(self._deleted(request))
        return Response(status_code=204)

    async def backup_secret(self, request: Request) -> Response:
        """Return the versions of a secret as a blob that only this vault can read."""
        return JSONResponse({"value": responses.base64url(self._store.backup(self._live(request)))})

    async def restore_secret(self, request: Request) -> Response:
        """Restore a secret and its versions from a backup, if the name is free."""
        given = await requests.body(request, ("value",))
        try:
            secret = self._store.decrypt_backup(requests.binary(given, "value"))
        except NotABackupError:
            raise errors.bad_parameter("Property value is no backup of this vault.") from None
        if self._store.get_deleted(secret.name):
            raise errors.name_reserved(secret.name)
        if self._store.get(secret.name):
            raise errors.name_taken(secret.name)
        self._store.restore(secret)
        return JSONResponse(responses.of_version(self._url, secret, secret.current))

    def _live(self, request: Request) -> StoredSecret:
        secret = self._store.get(request.path_params["name"])
        if secret is None:
            raise errors.not_found(request.path_params["name"])
        return secret

    def _version(self, request: Request) -> tuple[StoredSecret, StoredVersion]:
        secret, sought = self._live(request), request.path_params.get("version", "")
        version = secret.find(sought)
        if version is None:
            raise errors.not_found(f"{secret.name}/{sought}")
        return secret, version

    def _deleted(self, request: Request) -> StoredSecret:
        secret = self._store.get_deleted(request.path_params["name"])
        if secret is None:
            raise errors.not_found(request.path_params["name"], "A deleted secret")
        return secret
