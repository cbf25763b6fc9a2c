"""The examiners: each finds the parts that are embedded in files of one kind.

The walk through archives (`archive.contents`) shows every file to every examiner, unless the file
is a zip, a tar or compressed: the upload itself, members of archives, and embedded parts.
"""

from collections.abc import Callable, Iterator
from typing import IO

from shared.scanning.scanner import NotExamined

type Part = bytes | NotExamined
"""A piece of at most 256 KiB; b"" after the last piece of a member; or a part not examined."""

type Examiner = Callable[[IO[bytes], bytes], Iterator[Part]]
"""Yield the parts that are embedded in a file, given the file and its first bytes.

The file is seekable, at any position, and may be of many gigabytes: an examiner reads no more of a
file than it needs. Of a file of another kind the examiner yields nothing. Each yielded part is
scanned, and then examined like a member of an archive. Raises RefusedArchiveError.
"""
