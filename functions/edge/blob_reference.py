"""A blob trigger parameter that only names the blob.

An `InputStream` would carry the whole blob through the host's memory. An SDK-type binding gets a
reference instead, and hands the reference to the function. The ready-made `BlobClient` of
`azurefunctions-extensions-bindings-blob` would import the storage SDK at every cold start, for
every function, and more than double the cold start. Source: "Use SDK type bindings", Azure
Functions Python developer guide, learn.microsoft.com.
"""

import json
from typing import Any

from azurefunctions.extensions.base import Datum, InConverter, SdkType


class BlobReference(SdkType):
    """The name of the blob that a trigger fired for."""

    def __init__(self, container: str, name: str) -> None:
        super().__init__()
        self.container = container
        self.name = name

    def get_sdk_type(self) -> "BlobReference":
        """Return the value that the function gets: the reference."""
        return self


class BlobReferenceConverter(InConverter, binding="blob", trigger="blobTrigger"):
    """Makes a `BlobReference` of the host's model binding data."""

    @classmethod
    def check_input_type_annotation(cls, pytype: type) -> bool:
        return issubclass(pytype, BlobReference)

    @classmethod
    def has_implicit_output(cls) -> bool:
        return False

    @classmethod
    def decode(cls, data: Datum, *, trigger_metadata: Any, pytype: type) -> BlobReference:  # noqa: ANN401, ARG003 - the extension's signature
        content = json.loads(data.value.content)
        return BlobReference(content["ContainerName"], content["BlobName"])
