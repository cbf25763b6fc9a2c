"""A program that uses the vault with only its environment, like the app.

Prints the results of the sync and the async client as JSON.
"""

import asyncio
import json
import os
import sys

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ManagedIdentityCredential
from azure.identity.aio import ManagedIdentityCredential as AsyncManagedIdentityCredential
from azure.keyvault.secrets import SecretClient
from azure.keyvault.secrets.aio import SecretClient as AsyncSecretClient

# The app reads in the first vault, and writes in the second vault alone.
URL = os.environ["KEY_VAULT_URL"]
DATA_KEY_URL = os.environ["DATA_KEY_VAULT_URL"]


def read() -> dict[str, object]:
    with ManagedIdentityCredential() as credential, SecretClient(URL, credential) as client:
        try:
            client.set_secret("colour", "blue")
            refused = None
        except HttpResponseError as error:
            refused = error.error.innererror if error.error else None
        return {
            "seeded": client.get_secret("log-event-hmac").value,
            "names": [item.name for item in client.list_properties_of_secrets()],
            "refused": refused,
        }


def write() -> dict[str, object]:
    with (
        ManagedIdentityCredential() as credential,
        SecretClient(DATA_KEY_URL, credential) as client,
    ):
        made = client.set_secret("colour", "blue", content_type="text/plain", tags={"a": "b"})
        newer = client.set_secret("colour", "green")
        try:
            client.get_secret("nothing")
            missing = None
        except ResourceNotFoundError as error:
            missing = error.error.code if error.error else None
        return {
            "names": [item.name for item in client.list_properties_of_secrets()],
            "current": client.get_secret("colour").value,
            "first": client.get_secret("colour", made.properties.version).value,
            "tags": client.get_secret("colour", made.properties.version).properties.tags,
            "versions": [
                item.version for item in client.list_properties_of_secret_versions("colour")
            ],
            "made": [made.properties.version, newer.properties.version],
            "missing": missing,
        }


async def read_async() -> dict[str, object]:
    async with (
        AsyncManagedIdentityCredential() as credential,
        AsyncSecretClient(URL, credential) as client,
    ):
        return {"seeded": (await client.get_secret("log-event-hmac")).value}


if __name__ == "__main__":
    seen = {"sync": read(), "written": write(), "async": asyncio.run(read_async())}
    json.dump(seen, sys.stdout)
