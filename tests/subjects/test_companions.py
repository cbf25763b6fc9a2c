"""Which files belong together, by their names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.subjects.companions import belongs, companion_key, companions

LONG = "Excursion_to_the_lighthouse_with_everybody_2019"  # 47 characters
CUT = "123456789012345678901234567890123456_DSC_0091"  # 45 characters

TOGETHER = [
    ("DSC_0030.NEF", "DSC_0030.xmp"),
    ("DSC_0030.NEF", "dsc_0030.XMP"),
    ("IMG_7.jpg", "IMG_7.jpg.xmp"),
    ("IMG_7.CR3", "IMG_7.JPG"),
    ("IMG_7.CR3", "IMG_7.jpg.xmp"),
    ("IMG_7.xmp", "IMG_7.jpg.xmp"),
    ("IMG_7.heic", "IMG_7.MOV"),
    ("IMG_7.heic", "IMG_7.AAE"),
    ("IMG_0007.heic", "IMG_O0007.aae"),
    ("IMG_0007.heic", "IMG_E0007.jpg"),
    ("MVI_1.MP4", "MVI_1.THM"),
    ("GOPR1.MP4", "GOPR1.LRV"),
    ("DSC_1.JPG", "DSC_1.WAV"),
    ("IMG_7.dng", "IMG_7.dng.pp3"),
    ("IMG_7.raf", "IMG_7.raf.dop"),
    ("my.photo.jpg", "my.photo.jpg.xmp"),
    ("my.photo.jpg", "my.photo.xmp"),
    ("report.pdf", "report.xmp"),
    ("report.pdf", "report.pdf.xmp"),
    ("a/b/IMG_7.jpg", "A/b/IMG_7.jpg.xmp"),
    ("Zo\u00eb.jpg", "Zoe\u0308.xmp"),
    ("IMG_7.jpg", "IMG_7.jpg.json"),
    ("IMG_7.jpg", "IMG_7.jpg.supplemental-metadata.json"),
    ("IMG_7.jpg", "IMG_7.jpg.supplemental-me.json"),
    ("IMG_7.jpg", "IMG_7.jpg.s.json"),
    ("IMG_7.jpg", "IMG_7.jpg..json"),
    ("IMG_7(1).jpg", "IMG_7.jpg(1).json"),
    ("IMG_7(1).jpg", "IMG_7(1).jpg.json"),
    ("IMG_7(2).jpg", "IMG_7.jpg.supplemental-metadata(2).json"),
    ("IMG_7-edited.jpg", "IMG_7.jpg.json"),
    ("IMG_7-bearbeitet.jpg", "IMG_7.jpg.supplemental-metadata.json"),
    (f"{LONG}.jpg", f"{LONG[:46]}.json"),
    (f"{LONG}(3).jpg", f"{LONG[:46]}(3).json"),
    (f"{CUT}.jpg", f"{CUT}..json"),
    (f"{CUT[1:]}.jpg", f"{CUT[1:]}.j.json"),
    (f"{CUT[3:]}.jpg", f"{CUT[3:]}.jpg.json"),
    (f"{LONG[:45]}.jpg", f"{LONG[:45]}.jpg.json"),
    (f"{CUT[4:]}.jpg", f"{CUT[4:]}.jpg..json"),
    (f"{CUT[5:]}.jpg", f"{CUT[5:]}.jpg.s.json"),
    ("notes.txt", "notes.txt.json"),
]
APART = [
    ("IMG_1.jpg", "IMG_1.pdf"),
    ("IMG_1.docx", "IMG_1.pdf"),
    ("IMG_1.jpg", "IMG_2.jpg"),
    ("IMG_1.jpg", "IMG_10.jpg"),
    ("IMG_1.jpg", "IMG_2.xmp"),
    ("IMG_1.jpg", "IMG_2.jpg.xmp"),
    ("a/IMG_1.jpg", "b/IMG_1.xmp"),
    ("a/IMG_1.jpg", "IMG_1.xmp"),
    ("IMG_1.jpg", "IMG_1.pdf.xmp"),
    ("IMG_1.pdf", "IMG_1.jpg.xmp"),
    ("IMG_1.pdf", "IMG_1.jpg.json"),
    ("IMG_1.jpg", "IMG_1.json"),
    ("metadata.json", "metadata.jpg"),
    ("IMG_7.jpg", "IMG_7.jpg(1).json"),
    ("IMG_7(1).jpg", "IMG_7.jpg.json"),
    ("IMG_7(2).jpg", "IMG_7.jpg.supplemental-metadata(1).json"),
    ("IMG_7.jpg", "IMG_7(1).jpg"),
    (f"{LONG}_1.jpg", f"{LONG}_2.jpg"),
    (f"{LONG[:45]}1.jpg", f"{LONG[:45]}2.json"),
    (f"{LONG[:45]}.jpg", f"{LONG[:45]}.json"),
    (".xmp", "IMG_1.jpg"),
    ("IMG_1", "IMG_1.pdf"),
    ("README", "readme.jpg"),
]


@pytest.mark.parametrize(("one", "other"), TOGETHER)
def test_companions_meet_under_one_key_and_belong_together(one, other):
    assert companion_key(one) == companion_key(other)
    assert belongs(one, other)
    assert belongs(other, one)
    assert companions(one, [other]) == [other]
    assert companions(other, [one]) == [one]


@pytest.mark.parametrize(("one", "other"), APART)
def test_other_files_do_not_belong_together(one, other):
    assert not belongs(one, other)
    assert not belongs(other, one)
    assert companions(one, [other]) == []


def test_a_sidecar_brings_every_file_of_the_shot():
    shot = ["IMG_1.jpg", "IMG_1.jpg.xmp", "IMG_1.nef", "IMG_1.xmp"]
    for found in shot:
        assert companions(found, [*shot, "IMG_1.pdf", "IMG_1.pdf.xmp"]) == sorted({*shot} - {found})


def test_a_sidecar_of_a_name_belongs_to_the_shot_before_a_document():
    assert companions("IMG_1.pdf", ["IMG_1.xmp", "IMG_1.jpg"]) == []
    assert companions("IMG_1.xmp", ["IMG_1.pdf", "IMG_1.jpg"]) == ["IMG_1.jpg"]
    assert companions("IMG_1.pdf", ["IMG_1.xmp"]) == ["IMG_1.xmp"]
    assert companions("IMG_1.pdf.xmp", ["IMG_1.pdf", "IMG_1.jpg"]) == ["IMG_1.pdf"]


def test_two_documents_of_one_name_share_a_sidecar_and_nothing_else():
    assert companions("report.xmp", ["report.pdf", "report.docx"]) == ["report.docx", "report.pdf"]
    assert companions("report.pdf", ["report.xmp", "report.docx"]) == ["report.xmp"]


def test_a_cut_name_joins_no_two_shots():
    first, second, cut = f"{LONG}_1.jpg", f"{LONG}_2.jpg", f"{LONG[:46]}.json"
    assert companions(first, [second, cut]) == [cut]
    assert companions(cut, [first, second]) == [first, second]


_PATHS = st.text(alphabet="ab/.()1-\u00e9xmpjsongI", max_size=60) | st.text(max_size=60)


@given(one=_PATHS, other=_PATHS)
def test_belonging_is_mutual_and_needs_one_key(one, other):
    assert belongs(one, other) == belongs(other, one)
    if belongs(one, other):
        assert companion_key(one) == companion_key(other)
