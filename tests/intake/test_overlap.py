"""Looking at one chunk while the next comes in."""

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator

import pytest

from shared.intake import inspection
from shared.intake.inspection import Pass
from shared.scanning.yara import Signatures

CHUNKS = [b"one" * 1000, b"two" * 1000, b"three" * 1000]
WHOLE = b"".join(CHUNKS)


@pytest.fixture(scope="module")
def signatures() -> Signatures:
    return Signatures()


class Watched(Pass):
    """A pass that can be held up in a chunk, and says what it was given."""

    def __init__(self, signatures: Signatures, size: int = len(WHOLE)) -> None:
        super().__init__([signatures.begin()], size)
        self.let_go = threading.Event()
        self.let_go.set()
        self.taken: list[bytes] = []

    def __exit__(self, *raised: object) -> None:
        # Where a test fails, the thread must end all the same.
        self.let_go.set()
        super().__exit__(*raised)

    def feed(self, chunk: bytes) -> None:
        self.let_go.wait()
        super().feed(chunk)
        self.taken.append(chunk)


async def arriving(*chunks: bytes | Exception) -> AsyncIterator[bytes]:
    for chunk in chunks:
        await asyncio.sleep(0)
        if isinstance(chunk, Exception):
            raise chunk
        yield chunk


async def test_every_chunk_is_taken_once_and_in_order(signatures):
    with Watched(signatures) as inspecting:
        found = await inspection.run(inspecting, arriving(*CHUNKS))
    assert inspecting.taken == CHUNKS
    assert (found.size, found.sha256) == (len(WHOLE), hashlib.sha256(WHOLE).hexdigest())


async def test_a_blob_that_ends_before_its_size_is_finished_with_what_came(signatures):
    with Watched(signatures, size=len(WHOLE) + 1) as inspecting:
        found = await inspection.run(inspecting, arriving(*CHUNKS))
    assert found.size == len(WHOLE)


async def test_the_next_chunk_comes_in_while_one_is_looked_at_but_not_the_one_after(signatures):
    came: list[int] = []
    two_came = asyncio.Event()

    async def counted() -> AsyncIterator[bytes]:
        for number, chunk in enumerate(CHUNKS):
            came.append(number)
            if number == 1:
                two_came.set()
            yield chunk

    with Watched(signatures) as inspecting:
        inspecting.let_go.clear()
        running = asyncio.create_task(inspection.run(inspecting, counted()))
        await two_came.wait()
        assert (came, inspecting.taken) == ([0, 1], [])
        inspecting.let_go.set()
        await running
    assert came == [0, 1, 2]


async def test_no_thread_is_at_work_any_more_when_reading_failed(signatures):
    with Watched(signatures) as inspecting:
        with pytest.raises(ConnectionResetError):
            await inspection.run(inspecting, arriving(CHUNKS[0], ConnectionResetError()))
        assert inspecting.taken == CHUNKS[:1]


async def test_no_thread_is_at_work_any_more_when_it_was_cancelled(signatures):
    with Watched(signatures) as inspecting:
        inspecting.let_go.clear()
        running = asyncio.create_task(inspection.run(inspecting, arriving(*CHUNKS)))
        for _ in range(10):
            await asyncio.sleep(0)
        running.cancel()
        for _ in range(10):
            await asyncio.sleep(0)
        assert not running.done()
        inspecting.let_go.set()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert inspecting.taken == CHUNKS[:1]


async def test_what_the_pass_raises_comes_out(signatures):
    class Broken(Watched):
        def feed(self, chunk: bytes) -> None:
            raise OSError(28, "No space left on device")

    with Broken(signatures) as inspecting, pytest.raises(OSError, match="No space left"):
        await inspection.run(inspecting, arriving(*CHUNKS))
