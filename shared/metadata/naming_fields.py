"""The fields that name a person, by the names of `Text.field`.

A text of such a field is a name of a person, or an address of the person. Captions, titles,
keywords and comments may hold a name too, but are about anything.

Sources: IPTC Photo Metadata Standard, PLUS LDF, XMP part 2, Exif 3.0, ID3 2.4 section 4.2, the
fields recommended for Vorbis comments, Matroska tags, RIFF MCI, QuickTime File Format, RFC 5322,
RFC 6350.
"""

import re
from typing import Final

# Whole names of fields, of which the last part alone does not tell a person.
_FIELDS: Final = frozenset(
    {
        "IPTC:2:80 By-line",
        "IPTC:2:110 Credit",
        "IPTC:2:116 Copyright Notice",
        "IPTC:2:118 Contact",
        "IPTC:2:122 Writer/Editor",
        "Iptc4xmpExt:Contributor/Name",
        "Iptc4xmpExt:Creator/Name",
        "Iptc4xmpExt:ImageRegion/Name",
        "DSC:Author",
        "DSC:For",
        "ID3v1:TPE1",
        "PDF:Signature/Name",
        "AIFF:AUTH",
        "Takeout:people/name",
        "mwg-rs:Regions/Name",
        "acdsee-rs:Regions/RegionList/Name",
        "vCard:N",
        "vCard:FN",
        "vCard:NICKNAME",
        "vCard:RELATED",
        *("ID3:IPLS", "ID3:TCOM", "ID3:TCOP", "ID3:TENC", "ID3:TEXT", "ID3:TIPL", "ID3:TMCL"),
        *("ID3:TOLY", "ID3:TOPE", "ID3:TOWN", "ID3:TPE1", "ID3:TPE2", "ID3:TPE3", "ID3:TPE4"),
        *("ID3:TSO2", "ID3:TSOC", "ID3:TSOP", "RIFF:IART", "RIFF:ICDS", "RIFF:ICMS"),
        *("RIFF:ICNT", "RIFF:ICOP", "RIFF:IEDT", "RIFF:IENG", "RIFF:IMUS", "RIFF:IPDS"),
        *("RIFF:IPRO", "RIFF:ISTR", "RIFF:ITCH", "RIFF:IWRI", "RIFF:Originator", "ilst:aART"),
        *("ilst:soaa", "ilst:soar", "ilst:soco", "ilst:©ART", "ilst:©com", "ilst:©dir"),
        *("ilst:©enc", "ilst:©prd", "ilst:©wrt", "udta:auth", "udta:perf", "udta:©ART"),
        *("udta:©aut", "udta:©com", "udta:©dir", "udta:©prd", "udta:©prf", "udta:©swr"),
        "udta:©wrt",
    }
)

# The last parts of the names of further fields, in small letters, without the signs between words.
_LEAVES: Final = frozenset(
    {
        *("actor", "albumartist", "aocreator", "aocurrentcopyrightownername"),
        *("aocurrentlicensorname", "arranger", "artdirector", "artist", "artists"),
        *("assistantdirector", "atnauthor", "attributionname", "author", "authors", "babyname"),
        *("bcc", "byline", "byteline", "cameraoperator", "cameraowner", "cameraownername"),
        *("captionsauthornames", "captionwriter", "cast", "cc", "choreographer", "ciemailwork"),
        *("cinematographer", "client", "clientname", "commissionedby", "composer", "conductor"),
        *("contact", "contentownername", "contributor", "copyright", "copyrightowner"),
        *("copyrightownername", "copyrights", "costumedesigner", "creator", "creatorname"),
        *("credit", "directedby", "director", "directorofphotography", "directorphotography"),
        *("displaybcc", "displaycc", "displayname", "displayto", "editedby", "editor", "email"),
        *("emailaddress", "encodedby", "enduser", "endusername", "engineer", "ensemble"),
        *("executiveproducer", "facename", "facerecinfo", "from", "givenname", "holder"),
        *("imagecreatorname", "imageeditor", "imagesuppliername", "initialcreator"),
        *("initialsender", "lastauthor", "lastmodifiedby", "lastmodifiername", "lastprintedby"),
        *("lastsavedby", "leadperformer", "licensee", "licenseename", "licensoremail"),
        *("licensorname", "lyricist", "manager", "masteredby", "mixedby", "modelname"),
        *("modifiedby", "nickname", "operator", "originalartist", "originalauthor"),
        *("originallyricist", "owner", "ownername", "patientname", "people", "performer"),
        *("performers", "person", "personality", "persondisplayname", "personheard"),
        *("personheardname", "personinimage", "personinimagename", "personname"),
        *("photographer", "physicianname", "presenter", "printedby", "producer"),
        *("productiondesigner", "receivedby", "remixedby", "replyto", "resentfrom", "resentto"),
        *("reviewer", "revtbl", "rights", "rightsholder", "screenplayby", "sender"),
        *("senderaddress", "senderemailaddress", "sendername", "sendersmtpaddress", "sentby"),
        *("sentrepresentingemailaddress", "sentrepresentingname", "smtpaddress", "soundedby"),
        *("soundengineer", "starring", "subjectname", "surname", "technician", "thanksto"),
        *("to", "userid", "username", "writer", "writtenby", "xpauthor"),
    }
)

_LEAF: Final = re.compile(r"[^:/.]*\Z")
_SIGNS: Final = re.compile(r"[\s_\-\[\]0-9]+")


def names_people(field: str) -> bool:
    """Tell whether the texts of this field are names, or addresses, of people (or of firms)."""
    if field in _FIELDS:
        return True
    [leaf] = _LEAF.findall(field)[:1]
    return _SIGNS.sub("", leaf).lower() in _LEAVES
