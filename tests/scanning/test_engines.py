"""Several engines: each verdict is kept, and no scan stays open."""

import hashlib
import io
from datetime import UTC, datetime

import pytest

from shared.errors import UnavailableError
from shared.ports import BlobInfo
from shared.scanning.engines import Engines, close, finish, is_infected, refusal_of, verdicts_of
from shared.scanning.scanner import Engine, Findings, ScanPendingError

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
BLOB = BlobInfo("incoming", "acme/a", '"0x1"', 4, NOW)
HASH = hashlib.sha256(b"text").hexdigest()


class Scan:
    """A scan with the findings that a test gives."""

    def __init__(self, engine, findings):
        self.engine = engine
        self.findings = findings
        self.read = b""
        self.closed = False

    def feed(self, chunk):
        pass

    def finish(self, file):
        self.read = file.read() if file is not None else b""
        return self.findings

    def close(self):
        self.closed = True


class Scanner:
    """A scanner with the findings, or the error, that a test gives."""

    def __init__(self, name, given, *, scans_on_demand=True):
        self.name = name
        self.scans_on_demand = scans_on_demand
        self.given = given
        self.scan = Scan(Engine(name, "1", f"{name}-7", NOW), given)
        self.forgotten = []

    async def engine(self):
        return self.scan.engine

    async def begin(self, upload, blob):
        if isinstance(self.given, Exception):
            raise self.given
        return self.scan

    async def forget(self, upload):
        self.forgotten.append(upload)


async def results_of(*scanners):
    scans = await Engines(scanners).begin("an-upload", BLOB)
    found = finish(scans, io.BytesIO(b"text"), HASH)
    close(scans)
    return found


@pytest.mark.parametrize(
    ("first", "second", "infected", "refusal"),
    [
        (Findings(), Findings(), False, None),
        (Findings(), Findings(("worm",)), True, None),
        (Findings(("worm",)), Findings(refusal="archive-broken"), True, "archive-broken"),
        (Findings(refusal="a"), Findings(refusal="b"), False, "a"),
        (Findings(), Findings(sha256=HASH), False, None),
        (Findings(), Findings(sha256="0" * 64), False, "scan-of-other-bytes"),
    ],
)
async def test_the_verdict_of_each_engine_is_kept(first, second, infected, refusal):
    one, two = Scanner("one", first), Scanner("two", second)
    found = await results_of(one, two)
    assert (is_infected(found), refusal_of(found)) == (infected, refusal)
    kept = verdicts_of(found, NOW)
    assert [(v.engine, v.signature_version, v.scanned_at) for v in kept] == [
        ("one", "one-7", NOW),
        ("two", "two-7", NOW),
    ]
    assert [v.matches for v in kept] == [first.matches, second.matches]
    assert (one.scan.read, two.scan.read) == (b"text", b"text")
    assert (one.scan.closed, two.scan.closed) == (True, True)


@pytest.mark.parametrize("error", [UnavailableError("scanner"), ScanPendingError()])
async def test_where_an_engine_cannot_begin_no_scan_stays_open(error):
    one = Scanner("one", Findings())
    with pytest.raises(type(error)):
        await Engines([one, Scanner("two", error)]).begin("an-upload", BLOB)
    assert one.scan.closed


async def test_every_engine_forgets_and_those_on_demand_are_told_apart():
    one, two = Scanner("one", Findings()), Scanner("two", Findings(), scans_on_demand=False)
    engines = Engines([one, two])
    await engines.forget("an-upload")
    assert (one.forgotten, two.forgotten) == (["an-upload"], ["an-upload"])
    assert [scanner.name for scanner in engines.on_demand.scanners] == ["one"]
    assert [engine.name for engine in await engines.present()] == ["one", "two"]
