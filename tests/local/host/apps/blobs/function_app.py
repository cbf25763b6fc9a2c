"""A blob function that records each blob, then keeps, deletes or fails by the blob's name."""

import asyncio
import json
import os
from pathlib import Path

import azure.functions as func
from azure.storage.blob.aio import BlobClient
from azurefunctions.extensions.base import Datum, InConverter, SdkType

app = func.FunctionApp()


class BlobReference(SdkType):
    """The address of a blob; the blob's bytes never pass through the host."""

    def __init__(self, *, data: object) -> None:
        super().__init__()
        content = json.loads(data.content)
        self.connection = os.environ[content["Connection"]]
        self.container = content["ContainerName"]
        self.name = content["BlobName"]

    def get_sdk_type(self) -> "BlobReference":
        return self


class BlobReferenceConverter(InConverter, binding="blob", trigger="blobTrigger"):
    """Make a BlobReference from the host's binding data."""

    @classmethod
    def check_input_type_annotation(cls, pytype: type) -> bool:
        return issubclass(pytype, BlobReference)

    @classmethod
    def decode(cls, data: Datum, *, trigger_metadata: object, pytype: type) -> BlobReference:
        return BlobReference(data=data.value).get_sdk_type()


async def _gate() -> None:
    """Return once the file in the setting GATE exists."""
    while True:
        if _opened():
            return
        await asyncio.sleep(0.01)


def _opened() -> bool:
    return Path(os.environ["GATE"]).exists()


def _record(name: str, blob: str) -> None:
    with Path(os.environ["RECORDS"]).open("a") as file:
        file.write(json.dumps({"name": name, "blob": blob}) + "\n")


@app.blob_trigger(
    "blob",
    path="%CONTAINER%/{name}",
    connection="FILES",
    source=func.BlobSource(os.environ.get("SOURCE", "LogsAndContainerScan")),
)
async def arrived(blob: BlobReference) -> None:
    _record("started", blob.name)
    if blob.name.startswith("fail/"):
        raise RuntimeError("told to fail")
    if blob.name.startswith("slow/"):
        await _gate()
    # Recorded before the deletion: a host killed between both has done the work, once and for all.
    _record("done", blob.name)
    if blob.name.startswith("move/"):
        client = BlobClient.from_connection_string(blob.connection, blob.container, blob.name)
        async with client:
            await client.delete_blob()
