"""A person at the incident desk, over HTTP."""

import asyncio
from typing import Any

import httpx


class Desk:
    """Lists, reads and handles incidents, as one of the vendor's people."""

    def __init__(self, http: httpx.AsyncClient, token: str) -> None:
        self.http = http
        self.headers = {"Authorization": f"Bearer {token}"}

    async def list(self, **filters: str) -> list[dict[str, Any]]:
        """Every incident that the filters let through."""
        found: list[dict[str, Any]] = []
        continuation = None
        while True:
            params = filters | ({"continuation": continuation} if continuation else {})
            answer = await self.http.get("/api/incidents", params=params, headers=self.headers)
            assert answer.status_code == 200, answer.text
            found += answer.json()["incidents"]
            continuation = answer.json()["continuation"]
            if continuation is None:
                return found

    async def read(self, incident: str) -> tuple[dict[str, Any], str]:
        """The record of an incident, and the ETag."""
        answer = await self.http.get(f"/api/incidents/{incident}", headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.json(), answer.headers["ETag"]

    async def put(
        self,
        incident: str,
        step: str,
        etag: str | None = None,
        body: dict[str, Any] | None = None,
    ) -> httpx.Response:
        """Take a step; the answer."""
        return await self.ask("PUT", f"incidents/{incident}/{step}", body or {}, etag)

    async def post(
        self, path: str, body: dict[str, Any], etag: str | None = None, key: str | None = None
    ) -> httpx.Response:
        """Create something; the answer."""
        return await self.ask("POST", path, body, etag, key)

    async def get(self, path: str, **params: str) -> httpx.Response:
        """Ask for something; the answer."""
        return await self.http.get(f"/api/{path}", params=params, headers=self.headers)

    async def ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        etag: str | None = None,
        key: str | None = None,
    ) -> httpx.Response:
        """Send a request; the answer."""
        headers = self.headers | ({} if etag is None else {"If-Match": etag})
        headers |= {} if key is None else {"Idempotency-Key": key}
        return await self.http.request(method, f"/api/{path}", json=body, headers=headers)

    async def only(self, *, occurrences: int = 1, **filters: str) -> dict[str, Any]:
        """The only incident that the filters let through, once it has as many occurrences."""
        for _ in range(300):
            found = await self.list(**filters)
            if sum(one["occurrences"] for one in found) >= occurrences:
                break
            await asyncio.sleep(0.1)
        assert len(found) == 1, found
        assert found[0]["occurrences"] == occurrences, found
        return found[0]
