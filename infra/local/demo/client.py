"""The people of the demo and the clients: HTTP, blobs and queues of a running stack."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self
from uuid import uuid4

import httpx
from azure.core.exceptions import ResourceNotFoundError
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.storage.blob import BlobClient, BlobServiceClient

from infra.local.demo.transcript import DemoError

TENANT = "acme"
# Far longer than any step takes.
PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 0.1


@dataclass(frozen=True)
class Persona:
    """A person or service with a token. `tenant` is set for the tenant's own people."""

    id: str
    role: str
    tenant: str | None = None


SERVICE = Persona("portal", "vendor.service")
ADA = Persona("ada", "tenant.admin", TENANT)
MIA = Persona("mia", "tenant.dam_manager", TENANT)
NOOR = Persona("noor", "tenant.dam_manager", TENANT)
SVEN = Persona("sven", "vendor.support")
INES = Persona("ines", "vendor.it_supervisor")


class Client:
    """Clients of one stack, from `Stack.info`; a context manager."""

    def __init__(self, info: Mapping[str, Any]) -> None:
        strings = info["connection_strings"]
        self._token_endpoint = info["token"]["endpoint"]
        self._tokens: dict[Persona, str] = {}
        self._http = httpx.Client(
            base_url=f"{info['endpoints']['app']}/api", timeout=30, trust_env=False
        )
        self._blobs = BlobServiceClient.from_connection_string(strings["storage"])
        self._bus = ServiceBusClient.from_connection_string(strings["service_bus"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bus.close()
        self._blobs.close()
        self._http.close()

    def call(
        self,
        method: str,
        path: str,
        who: Persona | None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send one request to `/api/{path}`; None sends no token."""
        authorization = {} if who is None else {"Authorization": f"Bearer {self._token(who)}"}
        return self._http.request(
            method, path, json=body, headers={**authorization, **(headers or {})}
        )

    def permit(self, files: Mapping[str, bytes]) -> list[dict[str, Any]]:
        """Ask for the URLs of several files at once; return the answer for each file."""
        asked = [
            {"path": path, "size": len(data), "mediaType": "application/octet-stream"}
            for path, data in files.items()
        ]
        answer = self.call("POST", f"tenants/{TENANT}/uploads", MIA, {"files": asked})
        if answer.status_code != 207:
            raise DemoError(f"no upload URLs: {answer.status_code} {answer.text}")
        answers: list[dict[str, Any]] = answer.json()["files"]
        return answers

    def put(self, url: str, data: bytes) -> None:
        """Upload a file with `azure-storage-blob`, to the URL that the app signs for the file."""
        with BlobClient.from_blob_url(url) as blob:
            blob.upload_blob(data)

    def upload(self, path: str, data: bytes) -> None:
        """Ask for the URL of a single file, and upload the file."""
        [answer] = self.permit({path: data})
        if answer["upload"] is None:
            raise DemoError(f"no upload URL for {path}: {answer['problem']}")
        self.put(answer["upload"]["url"], data)

    def state(self, upload: str) -> dict[str, Any]:
        """Return the whereabouts of an upload."""
        found: dict[str, Any] = self.call("GET", f"tenants/{TENANT}/uploads/{upload}", MIA).json()
        return found

    def blob_exists(self, container: str, name: str) -> bool:
        """Tell whether the blob exists."""
        return self._blobs.get_blob_client(container, name).exists()

    def download(self, container: str, name: str) -> bytes | None:
        """Return a blob's bytes, or None for a missing blob."""
        try:
            return self._blobs.get_blob_client(container, name).download_blob().readall()
        except ResourceNotFoundError:
            return None

    def send(self, queue: str, kind: str, data: object, session: str | None = None) -> None:
        """Send a CloudEvent with `azure-servicebus`, as the vendor's services do."""
        identifier = str(uuid4())
        event = {
            "specversion": "1.0",
            "id": identifier,
            "source": "/demo",
            "type": kind,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "data": data,
        }
        message = ServiceBusMessage(
            json.dumps(event),
            message_id=identifier,
            session_id=session,
            content_type="application/cloudevents+json",
        )
        with self._bus.get_queue_sender(queue) as sender:
            sender.send_messages(message)

    def incidents(self, kind: str, count: int) -> list[dict[str, Any]]:
        """Return the incidents of a kind, once there are as many as `count`."""

        def ask() -> list[dict[str, Any]]:
            answer = self.call("GET", f"incidents?kind={kind}", INES)
            return list(answer.json()["incidents"])

        return self.until(ask, lambda found: len(found) >= count, f"an incident {kind}")

    def until[T](self, ask: Callable[[], T], holds: Callable[[T], bool], what: str) -> T:
        """Repeat `ask` until `holds`, and return the answer. Raise DemoError after a timeout."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds(answer := ask()):
            if time.monotonic() > deadline:
                raise DemoError(f"{what} did not happen within {PATIENCE_SECONDS:.0f} s")
            time.sleep(_PAUSE_SECONDS)
        return answer

    def _token(self, who: Persona) -> str:
        if who not in self._tokens:
            form = {"grant_type": "client_credentials", "client_id": who.id, "roles": who.role}
            if who.tenant is not None:
                form["tenant"] = who.tenant
            answer = self._http.post(self._token_endpoint, data=form)
            answer.raise_for_status()
            self._tokens[who] = answer.json()["access_token"]
        return self._tokens[who]
