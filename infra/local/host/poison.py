"""The queue of blobs that a function failed with for good, ``webjobs-blobtrigger-poison``.

The queue is in the blob's own account. Source: "Azure Blob storage trigger for Azure Functions",
poison blobs (learn.microsoft.com). The host only adds messages, so two calls of the Queue service's
REST API suffice: "Create Queue" and "Put Message".
"""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.sax.saxutils import escape

from azure.core import AsyncPipelineClient
from azure.core.pipeline.policies import AsyncRetryPolicy
from azure.core.rest import HttpRequest
from azure.storage.blob import (
    AccountSasPermissions,
    ResourceTypes,
    Services,
    generate_account_sas,
)

from infra.local.host.errors import StartupError
from infra.local.host.settings import AppSettings

QUEUE = "webjobs-blobtrigger-poison"
# Long enough for one message's calls, retries included.
SIGNATURE_LIFE = timedelta(minutes=10)
# A poison blob waits for a person, without any limit.
NO_EXPIRY = -1


class PoisonQueue:
    """Add messages to the poison queue of one account."""

    def __init__(self, endpoint: str, account: str, key: str) -> None:
        self._url = f"{endpoint.rstrip('/')}/{QUEUE}"
        self._account = account
        self._key = key
        self._client: AsyncPipelineClient[Any, Any] = AsyncPipelineClient(
            endpoint, policies=[AsyncRetryPolicy(retry_total=4, retry_backoff_factor=0.2)]
        )

    async def add(self, document: dict[str, str]) -> None:
        """Create the queue when missing and add a message. Raise AzureError after a failure."""
        signature = generate_account_sas(
            self._account,
            self._key,
            ResourceTypes(container=True, object=True),
            AccountSasPermissions(create=True, add=True),
            datetime.now(UTC) + SIGNATURE_LIFE,
            services=Services(queue=True),
        )
        await self._send(HttpRequest("PUT", f"{self._url}?{signature}"))
        # Base64, as the Functions host's own queue clients write and read.
        text = base64.b64encode(json.dumps(document).encode()).decode()
        await self._send(
            HttpRequest(
                "POST",
                f"{self._url}/messages?messagettl={NO_EXPIRY}&{signature}",
                headers={"Content-Type": "application/xml"},
                content=f"<QueueMessage><MessageText>{escape(text)}</MessageText></QueueMessage>",
            )
        )

    async def close(self) -> None:
        """Close the connections to the account."""
        await self._client.close()

    async def _send(self, request: HttpRequest) -> None:
        (await self._client.send_request(request)).raise_for_status()


def poison_queue(settings: AppSettings, connection: str) -> PoisonQueue:
    """Return the queue in the account that a connection setting names.

    Raises StartupError when the setting is missing or names no account with queues.
    """
    parts = dict(
        part.split("=", 1) for part in settings.connection(connection).split(";") if "=" in part
    )
    account, key = parts.get("AccountName"), parts.get("AccountKey")
    endpoint = parts.get("QueueEndpoint")
    if endpoint is None and account is not None and (suffix := parts.get("EndpointSuffix")):
        endpoint = f"{parts.get('DefaultEndpointsProtocol', 'https')}://{account}.queue.{suffix}"
    if not account or not key or not endpoint:
        raise StartupError(
            f"the connection setting {connection} has no AccountName, AccountKey and QueueEndpoint,"
            f" which the queue {QUEUE} needs"
        )
    return PoisonQueue(endpoint, account, key)
