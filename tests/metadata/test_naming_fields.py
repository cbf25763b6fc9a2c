"""The fields that name people, and the fields that are about anything."""

import pytest

from shared.metadata.naming_fields import names_people
from shared.metadata.worker import iptc_exif_xmp_fields as fields


@pytest.mark.parametrize(
    "field",
    [
        "IPTC:2:80 By-line",
        "Iptc4xmpExt:PersonInImageWDetails/PersonName",
        "Canon:OwnerName",
        "DSC:For",
        "Exif:XPAuthor",
        "MSG:DisplayTo",
        "Panasonic:FaceRecInfo",
        "Person:author",
        "RTF:revtbl",
        "Takeout:sharedAlbumComments/contentOwnerName",
        "w:author",
        "ID3:TPE1",
        "Matroska:DIRECTOR",
        "Mail:Reply-To",
        "OLE:last_saved_by",
        "PDF:Annotation/Author",
        "PNG:Author",
        "Takeout:people/name",
        "Vorbis:album artist",
        "mdta:com.apple.quicktime.author",
        "vCard:EMAIL",
        *sorted(
            {
                field.name
                for field in (*fields.XMP.values(), *fields.EXIF.values(), *fields.IPTC.values())
                if field.name not in fields.KEYWORDS
            }
        ),
    ],
)
def test_a_field_of_names(field):
    assert names_people(field)


@pytest.mark.parametrize(
    "field",
    [
        "",
        "Exif:ImageDescription",
        "Exif:Model",
        "ID3:TIT2",
        "IPTC:2:120 Caption/Abstract",
        "JPEG:Comment",
        "Mail:Subject",
        "PDF:Title",
        "dc:description",
        "mwg-rs:Regions/RegionList/Name",
        "photoshop:Headline",
        *sorted(fields.KEYWORDS),
    ],
)
def test_a_field_of_anything(field):
    assert not names_people(field)
