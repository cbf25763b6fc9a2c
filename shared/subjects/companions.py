"""Companions: the files of one shot or document, found, shown and erased together.

Companions lie in one folder. Names are compared without case, for a camera writes `DSC_30.NEF` and
an editor `dsc_30.xmp`. Every pair of companions is of one of these kinds:

- **One shot**: raw photo, photo, film and spoken note of one name, as a camera writes them. DCF
  calls files of one name one object (JEITA CP-3461, section 3.2); a live photo is `NAME.heic` with
  `NAME.mov`.
- **Sidecar of a name**: `NAME.xmp`, `NAME.aae`, `NAME.thm`, `NAME.lrv`. The sidecar belongs to the
  shot NAME, and where there is no shot, to any other file NAME with an extension: `NAME.pdf`.
  Source: XMP Specification Part 3, section 1.1.5.
- **Sidecar of a file**: `NAME.EXT.xmp`, `NAME.EXT.json`, `NAME.EXT.pp3`, `NAME.EXT.dop`. The
  sidecar belongs to `NAME.EXT` and to the shot of `NAME.EXT`.
- **Google Takeout's metadata**: `NAME.EXT.json` and `NAME.EXT.supplemental-metadata.json`. Takeout
  keeps 46 characters in front of `.json`, so that the word, the extension and even the name may be
  cut: `NAME.EXT.supplem.json`, `NAME.JP.json`. The number of a namesake stands at the end:
  `NAME.EXT(1).json` and `NAME.EXT.supplemental-metadata(1).json` belong to `NAME(1).EXT`. Takeout
  writes no metadata for `NAME-edited.EXT`: the edited photo shares the metadata of `NAME.EXT`.
  Source: github.com/ente/ente/pull/4956.
- **Edits of Apple's Photos**: `IMG_E0001.jpg`, `IMG_0001.aae` and `IMG_O0001.aae` belong to the
  shot `IMG_0001`.

`IMG_1.jpg` is no companion of `IMG_1.pdf` or of `IMG_1.png`, and files of one name in two folders
are none.
"""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

# What a camera writes beside a raw photo; a PNG or a TIFF of the name is a work of its own.
_PHOTOS: Final = "jpg jpeg jpe heic heif hif"
_RAW_PHOTOS: Final = (
    "3fr ari arw bay cap cr2 cr3 crw dcr dng eip erf fff gpr iiq k25 kdc mdc mef mos mrw nef nrw "
    "orf pef ptx pxn r3d raf raw rw2 rwl rwz sr2 srf srw x3f"
)
_FILMS: Final = "mov mp4 m4v avi mts m2ts 3gp mpg mpeg mkv webm wmv insv 360 mp"
_DOCUMENTS: Final = (
    "pdf ai eps indd doc docx docm xls xlsx xlsm ppt pptx pptm odt ods odp odg epub rtf txt md csv "
    "jfif avif png tif tiff webp jxl jp2 gif bmp psd svg html htm xml eml msg vcf mp3 m4a aac flac "
    "ogg opus oga aif aiff ogv flv swf zip tar gz 7z psb xcf"
)
SHOTS: Final = frozenset([*_PHOTOS.split(), *_RAW_PHOTOS.split(), *_FILMS.split(), "wav"])
"""The extensions of the files of a shot; `wav` is a note spoken into the camera."""
# A sidecar `my.photo.xmp` is of `my.photo.jpg` and not of a file `my.photo`.
_EXTENSIONS: Final = SHOTS | set(_DOCUMENTS.split())
_OF_A_NAME: Final = frozenset({"xmp", "aae", "thm", "lrv"})
_OF_A_FILE: Final = frozenset({"xmp", "json", "pp3", "dop"})
_TAKEOUT_LENGTH: Final = 46
_SUPPLEMENT: Final = "supplemental-metadata"
_NUMBER: Final = re.compile(r"\(\d{1,4}\)$")
# The word for "edited" in the languages of Google Photos.
_EDITED: Final = re.compile(
    r"-(edited|bearbeitet|modifi\u00e9|modificato|editado|editada|bewerkt|redigerad|redigeret|"
    r"edytowane|muokattu|effects|\u7de8\u96c6\u6e08\u307f)$"
)
_APPLE: Final = re.compile(r"^img_[eo](\d{4,5})$")


@dataclass(frozen=True)
class _Name:
    """The name of a file, taken apart.

    `stem` is the shot's or the document's name and `extension` the extension of the shot or the
    document, "" where the sidecar does not tell. `sidecar` tells a sidecar from other files. `cut`
    tells that `stem` is only the beginning.
    """

    folder: str
    stem: str
    extension: str
    sidecar: bool = False
    cut: bool = False


def companion_key(canonical_path: str) -> str:
    """Return the key under which companions meet: the folder, and the name up to 46 characters.

    Companions have one key. Files of one key may be no companions: `belongs` decides.
    """
    name = _read(canonical_path)
    return f"{name.folder}/{_beginning(name.stem)}"


def companion_name(canonical_path: str) -> str | None:
    """Return the whole name that companions share; None for a file whose name Takeout has cut.

    Two companions have one name, or one of the two has none. A thousand photos of one key,
    `2024-05-12 Annual Conference of the Association 0001.jpg`, have a thousand names.
    """
    name = _read(canonical_path)
    return None if name.cut else f"{name.folder}/{name.stem}"


def is_sidecar(canonical_path: str) -> bool:
    """Tell whether the file of a path is about another file, and nothing without the other."""
    return _read(canonical_path).sidecar


def belongs(one: str, other: str) -> bool:
    """Tell whether two paths are of one shot or document, as far as two names tell."""
    first, second = sorted((_read(one), _read(other)), key=lambda name: name.sidecar)
    if first.folder != second.folder or not _same_stem(first, second):
        return False
    if not second.sidecar:
        return _is_shot(first) and _is_shot(second)
    if not (first.extension and second.extension):
        return True
    return first.extension == second.extension or (_is_shot(first) and _is_shot(second))


def companions(found: str, others: Collection[str]) -> list[str]:
    """Return the paths of `others` that are found, shown and erased with the path `found`.

    `others` are the paths with the key of `found`. A sidecar brings every file of the shot:
    `IMG_1.jpg.xmp` brings `IMG_1.jpg` and `IMG_1.nef`. Beside a shot, the sidecar `IMG_1.xmp` is no
    companion of `IMG_1.pdf`. A cut name fits several shots: the sidecar brings every shot, and no
    shot brings another shot.
    """
    near = _near(found, others)
    if _read(found).sidecar:
        for shot in [path for path in near if _is_shot(_read(path))]:
            near |= _near(shot, others)
    return sorted(near - {found})


def _near(path: str, others: Collection[str]) -> set[str]:
    """Return the paths of `others` that belong to `path`, given all files with the path's key."""
    has_shot = any(_is_shot(name) and not name.sidecar for name in map(_read, (path, *others)))
    return {
        other
        for other in others
        if belongs(path, other) and not (has_shot and _mixes(_read(path), _read(other)))
    }


def _mixes(one: _Name, other: _Name) -> bool:
    """Tell whether a sidecar of a name meets a document; beside a shot it belongs to the shot."""
    names = (one, other)
    return any(name.sidecar and not name.extension for name in names) and any(
        name.extension and not _is_shot(name) for name in names
    )


def _same_stem(one: _Name, other: _Name) -> bool:
    if one.cut or other.cut:
        return _beginning(one.stem) == _beginning(other.stem)
    return one.stem == other.stem


def _is_shot(name: _Name) -> bool:
    return name.extension in SHOTS


def _beginning(stem: str) -> str:
    """Return the beginning of a stem that a cut name still shows, with the number of a namesake."""
    number = _NUMBER.search(stem)
    end = number.group() if number else ""
    return stem.removesuffix(end)[:_TAKEOUT_LENGTH].rstrip() + end


def _read(path: str) -> _Name:
    folder, _, file = unicodedata.normalize("NFC", path.casefold()).rpartition("/")
    stem, extension = _split(file)
    if extension == "json":
        return _takeout(folder, stem)
    inner, inner_extension = _split(stem)
    if extension in _OF_A_FILE and inner_extension in _EXTENSIONS:
        return _Name(folder, _shot(inner), inner_extension, sidecar=True)
    if extension in _OF_A_NAME:
        return _Name(folder, _shot(stem), "", sidecar=True)
    return _Name(folder, _shot(stem) if extension in SHOTS else stem, extension)


def _takeout(folder: str, base: str) -> _Name:
    """Read the name in front of `.json`, as Takeout cuts and numbers the name."""
    number = _NUMBER.search(base)
    end = number.group() if number else ""
    kept = base.removesuffix(end)
    cut = len(kept) >= _TAKEOUT_LENGTH
    media, _, word = kept.rpartition(".")
    if media and _SUPPLEMENT.startswith(word) and (cut or _split(media)[1] in SHOTS):
        kept = media
    stem, extension = _split(kept)
    if extension in SHOTS or (not cut and extension in _EXTENSIONS):
        return _Name(folder, _shot(stem + end), extension, sidecar=True)
    if cut and extension and any(shot.startswith(extension) for shot in SHOTS):
        return _Name(folder, _shot(stem + end), "", sidecar=True)
    if cut:
        return _Name(folder, _shot(kept + end), "", sidecar=True, cut=True)
    return _Name(folder, base, "json")


def _shot(stem: str) -> str:
    """Return the name of the shot: without the marks of an edited photo."""
    return _EDITED.sub("", _APPLE.sub(r"img_\1", stem))


def _split(file: str) -> tuple[str, str]:
    """Split a name at its last point; a name that begins with its only point has no extension."""
    stem, _, extension = file.rpartition(".")
    return (stem, extension) if stem else (file, "")
