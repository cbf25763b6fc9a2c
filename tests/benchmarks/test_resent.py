"""Requests to create with lost answers, which the SDK sends again."""

import io
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.data.tables import TableTransactionError
from azure.storage.blob import BlobClient, LinearRetry

from tests.benchmarks import resent

ROW = {"PartitionKey": "p", "RowKey": "r", "e": b"ours"}
STORED = b"0123456789"


def exists(code="BlobAlreadyExists"):
    return ResourceExistsError(f"409 {code}")


class Chunks:
    """A download in chunks of four bytes."""

    def __init__(self, data):
        self._data = data

    def chunks(self):
        return (self._data[at : at + 4] for at in range(0, len(self._data), 4))

    async def readall(self):
        return self._data


class File:
    """A blob with `STORED`, from an earlier request; the client may not read without `may_read`."""

    def __init__(self, *, may_read):
        self._may_read = may_read

    def upload_blob(self, content):
        content.read()
        raise exists()

    def download_blob(self):
        if not self._may_read:
            raise ResourceNotFoundError("This SAS does not allow to read.")
        return Chunks(STORED)


class Container:
    """A container whose only blob has `STORED`."""

    async def upload_blob(self, name, content, content_settings=None):
        raise exists()

    def get_blob_client(self, name):
        return self

    async def download_blob(self):
        return Chunks(STORED)


class Table:
    """A table that has `kept`."""

    def __init__(self, *kept, code="EntityAlreadyExists"):
        self._kept = kept
        self._code = code

    async def create_entity(self, row):
        raise exists(self._code)

    async def submit_transaction(self, operations):
        error = TableTransactionError(message="0:refused")
        error.error_code = self._code
        raise error

    async def get_entity(self, partition, row):
        for kept in self._kept:
            if (kept["PartitionKey"], kept["RowKey"]) == (partition, row):
                return dict(kept)
        raise ResourceNotFoundError(row)


@pytest.mark.parametrize("may_read", [True, False])
def test_a_file_that_is_there_with_our_content_was_created(may_read) -> None:
    stored = None if may_read else File(may_read=True)
    resent.create_file(File(may_read=may_read), io.BytesIO(STORED), stored)


@pytest.mark.parametrize("other", [STORED[:-1], STORED + b"x", b"x" + STORED[1:], b""])
def test_a_file_that_is_there_with_other_content_is_refused(other) -> None:
    with pytest.raises(ResourceExistsError):
        resent.create_file(File(may_read=True), io.BytesIO(other))


async def test_a_blob_is_created_only_with_our_content() -> None:
    await resent.create_blob(Container(), "name", STORED)
    with pytest.raises(ResourceExistsError):
        await resent.create_blob(Container(), "name", STORED + b"x")


async def test_a_row_is_created_only_with_our_columns() -> None:
    await resent.create_row(Table(ROW), ROW)
    for kept in ({**ROW, "e": b"other"}, {**ROW, "more": 1}, {**ROW, "RowKey": "gone"}):
        with pytest.raises(ResourceExistsError):
            await resent.create_row(Table(kept), ROW)


async def test_rows_are_created_only_with_our_columns() -> None:
    rows = [ROW, {**ROW, "RowKey": "r2"}]
    await resent.create_rows(Table(*rows), rows)
    with pytest.raises(TableTransactionError):
        await resent.create_rows(Table(ROW), rows)
    with pytest.raises(TableTransactionError):
        await resent.create_rows(Table(*rows, code="InternalError"), rows)


class Gone:
    """A storage where every request was done before."""

    async def delete_blob(self, **_):
        raise ResourceNotFoundError("404 BlobNotFound")

    async def create_container(self, name):
        raise exists("ContainerAlreadyExists")

    def get_container_client(self, name):
        return name


async def test_a_container_that_is_there_and_a_blob_that_is_gone_are_no_errors() -> None:
    await resent.delete_blob(Gone())
    assert await resent.create_container(Gone(), "name") == "name"


class LosesAnswers(BaseHTTPRequestHandler):
    """A blob service that stores the first upload, gives no answer, and refuses the second."""

    stored: bytes | None = None

    def do_PUT(self):
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self.stored is None:
            type(self).stored = content
            self.close_connection = True
            return
        self._answer(409, b"", "BlobAlreadyExists")

    def do_GET(self):
        self._answer(206, self.stored)

    def _answer(self, status, content, code=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Range", f"bytes 0-{len(content) - 1}/{len(content)}")
        self.send_header("ETag", "etag")
        if code:
            self.send_header("x-ms-error-code", code)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        """Log nothing."""


@pytest.fixture
def service():
    """The URL of a blob in a service that loses answers."""
    LosesAnswers.stored = None
    with HTTPServer(("127.0.0.1", 0), LosesAnswers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/account/container/name"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("ours", "is_created"), [(STORED, True), (STORED[::-1], False)])
def test_an_upload_that_the_sdk_sent_again_was_created(service, ours, is_created) -> None:
    if not is_created:
        LosesAnswers.stored = STORED
    retry = LinearRetry(backoff=0, random_jitter_range=0)
    with BlobClient.from_blob_url(service, retry_policy=retry) as blob:
        if is_created:
            resent.create_file(blob, io.BytesIO(ours))
        else:
            with pytest.raises(ResourceExistsError):
                resent.create_file(blob, io.BytesIO(ours))
    assert LosesAnswers.stored == STORED
