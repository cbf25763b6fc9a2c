"""What a tenant's portal does, for the journeys: HTTP and Storage, through unmodified clients."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Self

import httpx
from azure.storage.blob.aio import BlobClient

from infra.local.stack import Stack
from tests.contracts import check_contract

# Far more than anything takes; a journey that waits so long has failed.
PATIENCE_SECONDS = 120.0


async def eventually[T](
    probe: Callable[[], Awaitable[T]],
    holds: Callable[[T], bool],
    pause: float = 0.2,
) -> T:
    """What `probe` gives once it `holds`; fails with the last of it when it never does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds(last := await probe()):
        assert time.monotonic() < deadline, f"it never came to hold; the last was {last!r:.2000}"
        await asyncio.sleep(pause)
    return last


class Portal:
    """One tenant's portal on a stack; an async context manager that registers the tenant."""

    def __init__(self, stack: Stack, tenant: str) -> None:
        self.tenant = tenant
        self._tokens: dict[str, str] = {}
        self._token_endpoint = stack.info["token"]["endpoint"]
        self._http = httpx.AsyncClient(
            base_url=f"{stack.info['endpoints']['app']}/api",
            timeout=60,
            trust_env=False,
            event_hooks={"response": [check_contract]},
        )

    async def __aenter__(self) -> Self:
        registration = {"id": self.tenant, "displayName": "A tenant", "residencyZone": "eu"}
        answer = await self.call("POST", "tenants", who="service", body=registration)
        assert answer.status_code == 201, answer.text
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def token(self, who: str, roles: str, tenant: str | None) -> str:
        """A token of the stack's issuer."""
        form = {"grant_type": "client_credentials", "client_id": who, "roles": roles}
        if tenant is not None:
            form["tenant"] = tenant
        answer = await self._http.post(self._token_endpoint, data=form)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    async def call(
        self,
        method: str,
        path: str,
        *,
        who: str = "mia",
        body: object = None,
        headers: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
    ) -> httpx.Response:
        """One request. `who` is "service", "sven" (a support engineer), "dora" (the vendor's DPO),
        "ada" (an administrator of the tenant) or one of the tenant's own DAM managers; `path`
        stands below `/api`.
        """
        return await self.send(method, path, who=who, json=body, headers=headers, params=params)

    async def send(
        self,
        method: str,
        path: str,
        *,
        who: str = "mia",
        headers: dict[str, str] | None = None,
        **given: Any,
    ) -> httpx.Response:
        """One request with a body of any kind, as httpx takes it."""
        vendor = {"service": "vendor.service", "sven": "vendor.support", "dora": "vendor.dpo"}
        own = "tenant.admin" if who == "ada" else "tenant.dam_manager"
        role, tenant = vendor.get(who, own), None if who in vendor else self.tenant
        if who not in self._tokens:
            self._tokens[who] = await self.token(who, role, tenant)
        return await self._http.request(
            method,
            path,
            headers={"Authorization": f"Bearer {self._tokens[who]}", **(headers or {})},
            **given,
        )

    async def mine(self, method: str, path: str, **given: Any) -> httpx.Response:
        """One request about this tenant; `path` stands below `/api/tenants/{tenant}`."""
        return await self.call(method, f"tenants/{self.tenant}/{path}", **given)

    async def upload_url(
        self, path: str, size: int = 1, media_type: str = "application/octet-stream"
    ) -> str:
        """Where to upload one file to."""
        declared = {"path": path, "size": size, "mediaType": media_type}
        answer = await self.mine("POST", "uploads", body=declared)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["url"])

    async def upload(self, path: str, data: bytes) -> str:
        """Upload one file as a client of the portal does; the name of the blob in `incoming`."""
        url = await self.upload_url(path, max(len(data), 1))
        async with BlobClient.from_blob_url(url) as blob:
            await blob.upload_blob(data)
            return blob.blob_name

    async def listed(self, path: str, name: str) -> list[dict[str, Any]]:
        """Everything of a paged list, whose items stand under `name`."""
        items: list[dict[str, Any]] = []
        continuation = None
        while True:
            params = {"limit": "1000"} | ({"continuation": continuation} if continuation else {})
            answer = await self.mine("GET", path, params=params)
            assert answer.status_code == 200, answer.text
            items += answer.json()[name]
            continuation = answer.json()["continuation"]
            if continuation is None:
                return items

    async def assets(self) -> list[dict[str, Any]]:
        """The tenant's assets."""
        return await self.listed("assets", "assets")

    async def log(self) -> list[dict[str, Any]]:
        """The tenant's log, newest first."""
        return await self.listed("log/entries", "entries")
