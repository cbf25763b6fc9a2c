"""Photos of about 200 kB, each with people in its metadata.

Each photo is a sample JPEG of the repository with noise behind the pixels, up to the size of a
photo from a portal. The metadata stays, and no two photos have the same bytes.
"""

import asyncio
import random
from collections.abc import Iterator, Sequence
from typing import Final

from azure.storage.blob.aio import ContainerClient

from infra.local.settings import ROOT
from tests.benchmarks.resent import create_blob

SIZE: Final = 200_000
"""Bytes of one photo."""
TYPE: Final = "image/jpeg"
"""The type that a portal's client sends with a photo."""
_SAMPLES: Final = ("astronaut.jpg", "cat.jpg", "launch.jpg")
_UPLOADS_AT_ONCE: Final = 16
# ISO/IEC 10918-1 B.1.1.2: the end of an image, and the byte that begins every marker.
_END: Final = b"\xff\xd9"
_MARKER: Final = 0xFF


def photos(count: int) -> Iterator[tuple[str, bytes]]:
    """Yield the names and the bytes of `count` photos, the same at every call."""
    samples = [(ROOT / "samples" / name).read_bytes() for name in _SAMPLES]
    noise = random.Random(1).randbytes(SIZE).replace(bytes([_MARKER]), b"\0")
    for number in range(count):
        picture = samples[number % len(samples)].removesuffix(_END)
        turned = noise[number:] + noise[:number]
        yield f"{number:04}.jpg", picture + turned[: SIZE - len(picture) - len(_END)] + _END


def paths(count: int) -> dict[str, int]:
    """Return the paths of `count` photos, with the size of each in bytes."""
    return {f"{number:04}.jpg": SIZE for number in range(count)}


async def upload(storage: str, container: str, names: Sequence[str]) -> None:
    """Upload as many photos as there are `names`, each under one of the names."""
    async with ContainerClient.from_connection_string(storage, container) as target:
        limit = asyncio.Semaphore(_UPLOADS_AT_ONCE)

        async def put(name: str, content: bytes) -> None:
            async with limit:
                await create_blob(target, name, content, TYPE)

        contents = (content for _, content in photos(len(names)))
        await asyncio.gather(*map(put, names, contents))
