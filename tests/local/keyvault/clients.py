"""The SDK's two clients behind one interface: each test drives both clients."""

import inspect
from typing import Any, cast

import httpx
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError
from azure.keyvault.secrets import DeletedSecret, SecretClient, SecretProperties
from azure.keyvault.secrets.aio import SecretClient as AsyncSecretClient

from infra.local.stack import Stack

# More pages than the listing of any test.
MAX_PAGES = 500


class Principal:
    """A credential for a principal of the stack's token issuer.

    The tokens are for the resource that the vault's challenge names, or for `resource`.
    """

    def __init__(self, stack: Stack, name: str, resource: str | None = None) -> None:
        self._endpoint = stack.info["token"]["endpoint"]
        self._name = name
        self._resource = resource

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        scope = self._resource or scopes[0]
        form = {"grant_type": "client_credentials", "client_id": self._name, "scope": scope}
        answer = httpx.post(self._endpoint, data=form, trust_env=False).raise_for_status().json()
        return AccessToken(answer["access_token"], answer["expires_in"] + 1)


class AsyncPrincipal:
    """The credential for the async client."""

    def __init__(self, stack: Stack, name: str, resource: str | None = None) -> None:
        self._principal = Principal(stack, name, resource)

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return self._principal.get_token(*scopes, **options)

    async def close(self) -> None:
        """Do nothing: the credential holds no resources."""

    async def __aenter__(self) -> "AsyncPrincipal":
        return self

    async def __aexit__(self, *_: object) -> None:
        """Do nothing: the credential holds no resources."""


class Secrets:
    """A vault's secrets, through the sync client or the async client.

    A call has a method here when the two clients name or type the call differently. The remaining
    calls go through `call` and `listed`.
    """

    def __init__(
        self,
        stack: Stack,
        kind: str,
        principal: str,
        *,
        resource: str | None = None,
        **options: Any,
    ) -> None:
        url = options.pop("vault_url", stack.settings["KEY_VAULT_URL"])
        options.setdefault("connection_verify", str(stack.authority))
        self.client: Any
        if kind == "sync":
            self.client = SecretClient(url, Principal(stack, principal, resource), **options)
        else:
            credential = AsyncPrincipal(stack, principal, resource)
            self.client = AsyncSecretClient(url, credential, **options)

    async def close(self) -> None:
        await _got(self.client.close())

    async def call(self, operation: str, *args: Any, **options: Any) -> Any:
        """Call an operation and return the result."""
        return await _got(getattr(self.client, operation)(*args, **options))

    async def listed(self, operation: str, *args: Any, **options: Any) -> list[Any]:
        """Return every item of a listing."""
        return [item for page in await self.pages(operation, *args, **options) for item in page]

    async def pages(self, operation: str, *args: Any, **options: Any) -> list[list[Any]]:
        """Return a listing page by page; raise AssertionError for a listing without an end."""
        pages = getattr(self.client, operation)(*args, **options).by_page()
        got: list[list[Any]] = []
        while len(got) < MAX_PAGES:
            try:
                if isinstance(self.client, SecretClient):
                    got.append(list(next(pages)))
                else:
                    got.append([item async for item in await anext(pages)])
            except (StopIteration, StopAsyncIteration):
                return got
        raise AssertionError(f"{operation} has more than {MAX_PAGES} pages")

    async def delete(self, name: str) -> DeletedSecret:
        """Delete a secret and wait for the end of the deletion."""
        if isinstance(self.client, SecretClient):
            poller = self.client.begin_delete_secret(name)
            poller.wait()
            return poller.result()
        return cast("DeletedSecret", await self.client.delete_secret(name))

    async def recover(self, name: str) -> SecretProperties:
        """Recover a deleted secret and wait for the end of the recovery."""
        if isinstance(self.client, SecretClient):
            poller = self.client.begin_recover_deleted_secret(name)
            poller.wait()
            return poller.result()
        return cast("SecretProperties", await self.client.recover_deleted_secret(name))


def refusal(error: HttpResponseError) -> tuple[int | None, str | None, str | None]:
    """Return status, code and inner code of a refusal."""
    assert error.error is not None
    inner = error.error.innererror
    return error.status_code, error.error.code, inner.get("code") if inner else None


async def _got(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value
