"""Helpers of the tests that read all texts of a file."""

import io

from shared.metadata.collector import Collector
from shared.metadata.parsing import Metadata
from shared.scanning.content_type import HEAD_SIZE, detect


def collected(data: bytes) -> Metadata:
    """The metadata of an upload of these bytes, which arrive in pieces."""
    collector = Collector(detect(data[:HEAD_SIZE], len(data)))
    collector.feed(data[:HEAD_SIZE])
    for start in range(HEAD_SIZE, len(data), 1 << 20):
        collector.feed(data[start : start + (1 << 20)])
    return collector.finish(io.BytesIO(data))


def texts(data: bytes) -> dict[str, list[str]]:
    """The texts of an upload by field; each text behind its readings is a text as well."""
    found: dict[str, list[str]] = {}
    for text in collected(data).texts:
        found.setdefault(text.field, []).extend((text.text, *text.readings))
    return found
