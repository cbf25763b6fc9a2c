"""A portal of the app, as far as the benchmarks need one."""

from typing import Any, Self

import httpx
from azure.data.tables import TableClient
from azure.storage.blob import BlobClient, ContainerClient

from infra.local.stack import Stack

INCOMING = "incoming"
# The greatest size of one Put Blob, which needs the permission to create; Put Block needs the one
# to write. "Put Blob" and "Create an account SAS", learn.microsoft.com.
_WHOLE = 5000 * 1024 * 1024
# How long Azurite may take nothing of a file, as it does while a disk is busy; the SDK's 20 seconds
# are too few for 4 GiB.
_PATIENCE_SECONDS = 300


class Portal:
    """One tenant's portal on a running stack; a context manager.

    What it learns of uploads it reads from storage rather than from the app, so that asking does
    not add to what is measured.
    """

    def __init__(self, stack: Stack, tenant: str = "acme") -> None:
        self.tenant = tenant
        self._strings = stack.info["connection_strings"]
        self._token_endpoint = stack.info["token"]["endpoint"]
        self._http = httpx.Client(
            base_url=stack.info["endpoints"]["app"], timeout=60, trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def register(self) -> None:
        """Register the tenant."""
        registration = {
            "id": self.tenant,
            "displayName": "The tenant of a benchmark",
            "residencyZone": "eu",
        }
        self._post("/api/tenants", registration, {"roles": "vendor.service"})

    def upload(self, path: str) -> BlobClient:
        """A client that can upload one file to `path`, with the SAS that the app signed for it.

        The URL is good for 15 minutes. The client sends a file whole and not in blocks, as the
        SAS is for creating only, which blocks are not (`_WHOLE`).
        """
        who = {"roles": "tenant.admin", "tenant": self.tenant}
        # What comes may be another size and type: the asset's record then says so.
        declared = {"path": path, "size": 1, "mediaType": "application/octet-stream"}
        granted = self._post(f"/api/tenants/{self.tenant}/uploads", declared, who)
        return BlobClient.from_blob_url(
            granted["url"],
            max_single_put_size=_WHOLE,
            connection_timeout=_PATIENCE_SECONDS,
            read_timeout=_PATIENCE_SECONDS,
        )

    def waiting(self) -> int:
        """How many uploads have not been filed yet: removing an upload is the last step of all."""
        with ContainerClient.from_connection_string(self._strings["storage"], INCOMING) as incoming:
            return sum(1 for _ in incoming.list_blob_names(name_starts_with=f"{self.tenant}/"))

    def assets(self) -> list[dict[str, Any]]:
        """The rows of the tenant's assets."""
        with TableClient.from_connection_string(self._strings["storage"], "assets") as table:
            rows = table.query_entities(
                "PartitionKey eq @tenant", parameters={"tenant": self.tenant}
            )
            return [dict(row) for row in rows if row["RowKey"].startswith("asset")]

    def _post(self, path: str, body: object, who: dict[str, str]) -> Any:
        asked = {"grant_type": "client_credentials", "client_id": "bench", **who}
        token = httpx.post(self._token_endpoint, data=asked, trust_env=False)
        token.raise_for_status()
        authorization = {"Authorization": f"Bearer {token.json()['access_token']}"}
        answer = self._http.post(path, json=body, headers=authorization)
        answer.raise_for_status()
        return answer.json()
