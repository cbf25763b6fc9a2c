"""Where an upload goes."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from shared.blob_names import canonical_path
from shared.errors import InvalidInputError, RefusalError
from shared.intake.rules import (
    MAX_SINGLE_PUT,
    Filing,
    Inspection,
    Upload,
    check_path,
    check_size,
    decide,
    destinations,
    differences,
    is_overdue,
    places,
    quarantined_name,
    refuse_unread,
    served_type,
    takes_long,
)
from shared.ports import BlobInfo
from shared.scanning.engines import Scanned
from shared.scanning.scanner import Engine, Findings
from shared.tenancy import Tenant

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ACME = Tenant(id="acme", display_name="Acme", residency_zone="eu", status="active", created=NOW)
CLEAN = Filing("clean", None)
LIMIT = 1000
ENGINE = Engine("yara-x", "1", "1", NOW)
CLEAR = Scanned(ENGINE, Findings())
MATCHES = Scanned(Engine("clamd", "1", "1", NOW), Findings(("eicar",)))
REFUSES = Scanned(Engine("clamd", "1", "1", NOW), Findings(refusal="archive-encrypted"))
INFECTED = Filing("infected", "malware-found")


def inspection(scans):
    return Inspection(
        size=1,
        sha256="00",
        media_type="image/jpeg",
        scans=scans,
        people=(),
        metadata_note=None,
    )


# With `acme/` the path has 1,700 characters once its letters are percent-encoded as UTF-8.
LONGEST_ENCODED = "é" * 200 + "x" * 495

BAD_PATHS = [
    "",
    "/a.jpg",
    "a//b.jpg",
    "../x",
    "a/../b",
    "./a",
    "a/",
    "a.",
    "dir./a",
    "a\\b",
    "a\x00b",
    "a\nb",
    "a\u202eb",
    "a\x85b",
    "a\u2028b",
    "a\ue000b",
    "a\ufffeb",
    "a\ud800b",
    "x" * 1020,
    "é" * 300,
    "/".join("x" * 254),
    f"{LONGEST_ENCODED}x",
]


@pytest.mark.parametrize("path", BAD_PATHS)
def test_a_path_that_cannot_be_is_refused_before_the_upload(path):
    with pytest.raises(InvalidInputError) as refused:
        check_path("acme", path)
    assert refused.value.code == "path-invalid"


@pytest.mark.parametrize(
    "path",
    [
        "a.jpg",
        "2026/Zoë Müller & co (1).jpg",
        "日本/写真.jpg",
        "a/.hidden",
        "..a",
        "x" * 1019,
        "/".join("x" * 253),
        LONGEST_ENCODED,
        # As macOS names a screenshot, Japan its photos, and a telephone the family's.
        "Screenshot at 3.45.12\u202fPM.png",
        "写真\u3000一.jpg",
        "family \U0001f468\u200d\U0001f469\u200d\U0001f467.jpg",
    ],
)
def test_any_other_path_is_fine(path):
    check_path("acme", path)


def test_a_path_must_be_a_name_in_both_spellings():
    """U+0958 is the one character that the canonical spelling writes as two."""
    path = "\u0958" * 100 + "a" * 900
    assert len(path) < 1019 < len(canonical_path(path))
    with pytest.raises(InvalidInputError):
        check_path("acme", path)


LEAVING = msgspec.structs.replace(ACME, status="leaving")


def blob(size=1, *, block=True):
    return BlobInfo("incoming", "acme/ID", '"0x1"', size, NOW, is_block_blob=block)


def upload(size=1):
    return Upload(
        id="ID",
        path="a.jpg",
        size=size,
        media_type="image/jpeg",
        requested_by="mia",
        requested_at=NOW,
        expires_at=NOW,
    )


@pytest.mark.parametrize(
    ("came", "permitted", "tenant", "region", "reason"),
    [
        (blob(), upload(), ACME, "westeurope", None),
        (blob(), None, None, "westeurope", "upload-unknown"),
        (blob(), None, ACME, "westeurope", "upload-unknown"),
        (blob(), None, ACME, "eastus", "residency-zone-not-served"),
        (blob(), upload(), ACME, "eastus", "residency-zone-not-served"),
        (blob(), None, LEAVING, "westeurope", "upload-unknown"),
        (blob(), upload(), LEAVING, "westeurope", "tenant-not-active"),
        (blob(block=False), upload(), ACME, "westeurope", "blob-type-not-allowed"),
        (blob(0, block=False), upload(), ACME, "westeurope", "blob-type-not-allowed"),
        (blob(0), upload(), ACME, "westeurope", "zero-bytes"),
        (blob(LIMIT), upload(LIMIT), ACME, "westeurope", None),
        (blob(LIMIT + 1), upload(LIMIT), ACME, "westeurope", "too-large"),
    ],
)
def test_what_need_not_be_read_is_refused(came, permitted, tenant, region, reason):
    filing = refuse_unread(came, permitted, tenant, region, LIMIT)
    assert filing == (Filing("refused", reason) if reason else None)


@pytest.mark.parametrize(
    ("size", "declared", "is_taken"),
    [
        (100, 100, True),
        (100 + 65_536 + 10, 100, True),
        (100 + 65_536 + 11, 100, False),
        (2**30, 100, False),
        (900_000 - 65_536, 1_000_000, True),
        (900_000 - 65_537, 1_000_000, False),
        (1_100_000 + 65_536, 1_000_000, True),
        (1_100_000 + 65_537, 1_000_000, False),
        (1, 65_537, True),
        (1, 80_000, False),
    ],
)
def test_a_blob_must_be_of_about_the_declared_size(size, declared, is_taken):
    filing = refuse_unread(blob(size), upload(declared), ACME, "westeurope", 2**40)
    assert filing == (None if is_taken else Filing("refused", "size-not-declared"))


@pytest.mark.parametrize(
    ("scans", "filing"),
    [
        ([CLEAR], CLEAN),
        ([MATCHES], Filing("infected", "malware-found")),
        ([REFUSES], Filing("refused", "archive-encrypted")),
        ([Scanned(ENGINE, Findings(("eicar",), "archive-broken"))], INFECTED),
        ([CLEAR, CLEAR], CLEAN),
        ([CLEAR, MATCHES], INFECTED),
        ([MATCHES, CLEAR], INFECTED),
        ([CLEAR, REFUSES], Filing("refused", "archive-encrypted")),
        ([REFUSES, CLEAR], Filing("refused", "archive-encrypted")),
        ([REFUSES, MATCHES], INFECTED),
        ([], Filing("refused", "scan-not-possible")),
    ],
)
def test_only_what_every_engine_scanned_and_found_clean_is_cleared(scans, filing):
    assert decide(inspection(scans)) == filing


REFUSED = Filing("refused", "x")


@pytest.mark.parametrize(
    ("filing", "folder", "path", "container", "names"),
    [
        (CLEAN, "acme", "a/b.jpg", "tenant-acme", ("a/b.jpg", "a/b.ID.jpg")),
        (CLEAN, "acme", "readme", "tenant-acme", ("readme", "readme.ID")),
        (CLEAN, "acme", "Cafe\u0301.jpg", "tenant-acme", ("Café.jpg", "Café.ID.jpg")),
        (Filing("infected", "x"), "acme", "a/b.jpg", "quarantine", ("acme/ID",)),
        (REFUSED, "acme", "", "quarantine", ("acme/ID",)),
        (REFUSED, "Zoë Müller", "b.jpg", "quarantine", ("_unknown/ID",)),
    ],
)
def test_destinations(filing, folder, path, container, names):
    assert destinations(filing, folder, path, "ID") == (container, names)


@pytest.mark.parametrize(
    ("filing", "inspected", "served"),
    [
        (CLEAN, inspection([CLEAR]), "image/jpeg"),
        (INFECTED, inspection([MATCHES]), "application/octet-stream"),
        (Filing("refused", "zero-bytes"), None, "application/octet-stream"),
    ],
)
def test_a_filed_blob_is_served_as_its_content_or_as_bytes(filing, inspected, served):
    assert served_type(filing, inspected) == served


@pytest.mark.parametrize("path", ["x" * 1019, "x/" * 200 + "y" * 600, "é" * 1010 + ".jpeg"])
def test_a_versioned_name_is_a_valid_name_of_its_own(path):
    _, (first, second) = destinations(CLEAN, "acme", path, "01J0000000000000000000000A")
    assert len(second) <= 1024
    assert first != second
    assert "01J0000000000000000000000A" in second
    assert second.rpartition("/")[0] == first.rpartition("/")[0]


def test_a_version_may_have_the_longest_name_that_a_blob_may():
    _, names = destinations(CLEAN, "acme", f"{'x' * 991}/a.jpg", "ID" * 13)
    assert names[1] == f"{'x' * 991}/a.{'ID' * 13}.jpg"
    assert len(names[1]) == 1024
    _, names = destinations(CLEAN, "acme", f"{'x' * 992}/a.jpg", "ID" * 13)
    assert names[1] == "ID" * 13 + ".jpg"


@pytest.mark.parametrize(
    ("folder", "path", "expected"),
    [
        (
            "acme",
            "a.jpg",
            [("quarantine", "acme/ID"), ("tenant-acme", "a.jpg"), ("tenant-acme", "a.ID.jpg")],
        ),
        ("acme", None, [("quarantine", "acme/ID")]),
        ("Zoë", None, [("quarantine", "_unknown/ID")]),
    ],
)
def test_the_places_of_copies(folder, path, expected):
    assert places(folder, path, "ID") == expected


def test_the_name_in_quarantine_is_of_ids():
    assert quarantined_name("acme", "ID", "V") == "acme/ID.V"


def test_a_version_whose_folder_leaves_no_room_for_its_id_goes_to_the_root():
    _, names = destinations(CLEAN, "acme", f"{'x' * 1000}/a.jpg", "ID" * 13)
    assert names[1] == "ID" * 13 + ".jpg"


@pytest.mark.parametrize(("size", "long"), [(64 * 1024**2 - 1, False), (64 * 1024**2, True)])
def test_the_scan_of_a_large_file_is_told(size, long):
    assert takes_long(size) is long


@pytest.mark.parametrize(
    ("size", "code"),
    [(1, None), (LIMIT, None), (LIMIT + 1, "upload-too-large"), (0, "upload-empty")],
)
def test_what_is_declared_too_large_or_empty_is_refused(size, code):
    if code is None:
        check_size(size, LIMIT)
    else:
        with pytest.raises(RefusalError) as refused:
            check_size(size, LIMIT)
        assert refused.value.code == code


@pytest.mark.parametrize(
    ("declared", "came", "differing"),
    [
        ((1, "image/jpeg"), (1, "image/jpeg"), ()),
        ((1, "Image/JPEG; q=1"), (1, "image/jpeg"), ()),
        ((1, "application/octet-stream"), (1, "image/jpeg"), ()),
        ((1, "image/jpeg"), (1, "image/png"), ("type",)),
        ((1, "image/jpeg"), (1, "application/octet-stream"), ("type",)),
        ((1, "text/csv"), (1, "text/plain"), ()),
        ((1, "text/csv"), (1, "application/octet-stream"), ()),
        ((1, "text/csv"), (1, "application/x-dosexec"), ("type",)),
        ((2, "image/jpeg"), (1, "image/jpeg"), ("size",)),
        ((2, "image/jpeg"), (1, "image/png"), ("size", "type")),
        ((2, "image/jpeg"), (0, None), ("size",)),
    ],
)
def test_what_came_is_held_against_what_was_declared(declared, came, differing):
    assert differences(*declared, *came) == differing


@pytest.mark.parametrize(
    ("size", "minutes", "overdue"),
    [
        (1, 9, False),
        (1, 11, True),
        (18 * 1024**3, 19, False),
        (18 * 1024**3, 21, True),
        # Ten minutes of waiting, and a minute for 30 MiB a second.
        (0, 10, False),
        (60 * 30 * 1024**2, 11, False),
        (60 * 30 * 1024**2 - 1024, 11, True),
    ],
)
def test_an_upload_is_overdue_when_nothing_that_waits_is_as_old(size, minutes, overdue):
    assert is_overdue(size, NOW - timedelta(minutes=minutes), NOW) is overdue


def test_a_url_takes_the_largest_put_blob():
    """ "Put Blob", remarks: at most 5,000 MiB in a request."""
    assert MAX_SINGLE_PUT == 5_242_880_000
