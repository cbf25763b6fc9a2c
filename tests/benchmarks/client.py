"""A tenant's portal, as far as the benchmarks need a portal."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import httpx
from azure.data.tables import TableClient
from azure.storage.blob import BlobClient

from infra.local.stack import Stack
from tests.benchmarks.resent import create_file

INCOMING = "incoming"
# The greatest size of one Put Blob, which needs the permission to create; Put Block needs the one
# to write. "Put Blob" and "Create an account SAS", learn.microsoft.com.
_WHOLE = 5000 * 1024 * 1024
# Azurite may take no bytes of a file while a disk is busy; the SDK's 20 seconds are too few for
# 4 GiB.
_PATIENCE_SECONDS = 300
_PERMITTED_AT_ONCE = 1000


class Portal:
    """One tenant's portal on a running stack; a context manager.

    The portal reads the state of uploads from storage: questions to the app would add to the
    measured work.
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

    def permit(self, files: Mapping[str, int]) -> list[str]:
        """Permit files, given by path with the size in bytes; the names of the blobs, in order."""
        who = {"roles": "tenant.admin", "tenant": self.tenant}
        asked = [
            {"path": path, "size": size, "mediaType": "application/octet-stream"}
            for path, size in files.items()
        ]
        names: list[str] = []
        for at in range(0, len(asked), _PERMITTED_AT_ONCE):
            body = {"files": asked[at : at + _PERMITTED_AT_ONCE]}
            answer = self._post(f"/api/tenants/{self.tenant}/uploads", body, who)
            names += [f"{self.tenant}/{file['upload']['id']}" for file in answer["files"]]
        return names

    def upload(self, path: str, size: int) -> BlobClient:
        """Return a client for the upload of `size` bytes to `path`, with the SAS of the app.

        The URL is valid for 15 minutes. The client sends a file whole: the SAS allows to create,
        and blocks need more (`_WHOLE`).
        """
        who = {"roles": "tenant.admin", "tenant": self.tenant}
        declared = {"path": path, "size": size, "mediaType": "application/octet-stream"}
        granted = self._post(f"/api/tenants/{self.tenant}/uploads", declared, who)
        return BlobClient.from_blob_url(
            granted["url"],
            max_single_put_size=_WHOLE,
            connection_timeout=_PATIENCE_SECONDS,
            read_timeout=_PATIENCE_SECONDS,
        )

    def send(self, upload: BlobClient, file: Path) -> None:
        """Upload a file with a client of `upload`; the SAS in `upload` does not allow to read."""
        stored = BlobClient.from_connection_string(
            self._strings["storage"], upload.container_name, upload.blob_name
        )
        with file.open("rb") as content, upload, stored:
            create_file(upload, content, stored)

    def waiting(self) -> int:
        """Return the number of permitted uploads not filed yet.

        The removal of an upload's record is the last step of filing.
        """
        with TableClient.from_connection_string(self._strings["storage"], "uploads") as table:
            rows = table.query_entities(
                "PartitionKey eq @tenant", parameters={"tenant": self.tenant}, select="RowKey"
            )
            return sum(1 for _ in rows)

    def assets(self) -> list[dict[str, Any]]:
        """Return the rows of the tenant's assets."""
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
