"""The third chapter: a person is found, reviewed, approved by a second person, and erased."""

from typing import Any

from httpx import Response

from infra.local.demo.client import MIA, NOOR, TENANT, Client
from infra.local.demo.transcript import Transcript

REQUESTS = f"tenants/{TENANT}/erasure-requests"
NAME = "Zoë Müller"
# The samples that name her: samples/README.md.
FILES = {"astronaut.tif", "launch.png", "coffee.webp"}

_SIDECAR = """\
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">
<Iptc4xmpExt:PersonInImage><rdf:Bag><rdf:li>Müller, Zoë</rdf:li></rdf:Bag>
</Iptc4xmpExt:PersonInImage></rdf:Description></rdf:RDF></x:xmpmeta>"""
_CAPTION = """\
<svg xmlns="http://www.w3.org/2000/svg"><title>{}</title><desc>{}</desc>
<rect width="9" height="9"/></svg>"""
# A sidecar beside a sample, a caption, and a namesake.
LATER = {
    "coffee.avif.xmp": _SIDECAR,
    "fair.svg": _CAPTION.format("The fair", "Zoë Müller opens the fair, with guests"),
    "goal.svg": _CAPTION.format("Cup final", "Zoë Müller, goalkeeper of another club"),
}
NAMESAKE = "goal.svg"
COMPANION = "coffee.avif"


def erase(transcript: Transcript, client: Client, assets: dict[str, dict[str, Any]]) -> None:
    """Erase every trace of one person, found however her name is written."""
    transcript.chapter("Erased means erased")
    known = _with_later(client, assets)
    transcript.confirm("a sidecar, a caption and a namesake are uploaded")
    opened = client.call("POST", REQUESTS, MIA, {"name": NAME})
    transcript.check(f"Mia asks for the erasure of {NAME} (202)", opened.status_code == 202, opened)
    request = f"{REQUESTS}/{opened.json()['id']}"
    seen = _reached(client, request, "awaiting-approval", "the preview")
    wanted = {*FILES, *LATER, COMPANION} - {NAMESAKE}
    named = {one["id"]: one for path, one in known.items() if path.split("/")[-1] in wanted}
    etag = _review(transcript, client, request, seen)
    _check_included(transcript, client, request, named)
    _approve(transcript, client, request, etag)
    _check_erased(transcript, client, named, known)


def _with_later(client: Client, assets: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Upload the files of this chapter; return every asset by path."""
    folder = next(iter(assets)).rpartition("/")[0]
    for name, text in LATER.items():
        client.upload(f"{folder}/{name}", text.encode())

    def listed() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = client.call("GET", f"tenants/{TENANT}/assets", MIA).json()[
            "assets"
        ]
        return found

    found = client.until(listed, lambda some: len(some) == len(assets) + len(LATER), "intake")
    return {asset["path"]: asset for asset in found}


def _reached(client: Client, request: str, status: str, what: str) -> Response:
    return client.until(
        lambda: client.call("GET", request, MIA),
        lambda answer: answer.json()["status"] == status,
        what,
    )


def _review(transcript: Transcript, client: Client, request: str, seen: Response) -> str:
    """Show the finds with their evidence, and leave the namesake out; return the new ETag."""
    preview = seen.json()
    transcript.check(
        f"the preview includes {preview['assets']} files, {preview['bytes']:,} bytes, "
        f"of {preview['assetsRead']} that were searched",
        preview["counts"]["named"] == len(FILES) + len(LATER),
        preview,
    )
    finds = client.call("GET", f"{request}/finds", MIA).json()["finds"]
    for find in finds:
        paths = ", ".join(asset["path"] for asset in find["assets"])
        match = next(match for asset in find["assets"] for match in asset["matches"])
        transcript.say(f"{find['certainty']}: {paths}: {match['field']}: {match['text']}")
    _show_picture(transcript, client, request, finds)
    [namesake] = [find for find in finds if NAMESAKE in str(find["assets"])]
    out = {"id": namesake["id"], "decision": "leave-out", "reason": "another-person"}
    decided = client.call(
        "POST",
        f"{request}/decisions",
        MIA,
        {"finds": [out]},
        headers={"If-Match": seen.headers["ETag"]},
    )
    transcript.check(
        "Mia leaves the goalkeeper out: a namesake", decided.status_code == 200, decided
    )
    return decided.headers["ETag"]


def _show_picture(
    transcript: Transcript, client: Client, request: str, finds: list[dict[str, Any]]
) -> None:
    """Show the picture of the find whose sidecar alone names her."""
    [find, picture] = [
        one
        for find in finds
        for asset in find["assets"]
        if asset["path"].endswith(COMPANION)
        for one in (find, asset)
    ]
    place = f"{request}/finds/{find['id']}/assets/{picture['id']}/thumbnail"
    shown = client.call("GET", place, MIA)
    transcript.check(
        f"Mia sees {picture['path']} as a thumbnail of {len(shown.content):,} bytes, kept nowhere",
        shown.status_code == 200 and shown.content.startswith(b"\xff\xd8"),
        shown,
    )
    entries = client.call("GET", f"tenants/{TENANT}/log/entries", MIA).json()["entries"]
    told = {"asset.thumbnail-viewed", f"assets/{picture['id']}"}
    transcript.check(
        "the log says that she saw it",
        any(told <= set(map(str, entry.values())) for entry in entries),
        entries,
    )


def _check_included(
    transcript: Transcript, client: Client, request: str, named: dict[str, dict[str, Any]]
) -> None:
    found = set(client.call("GET", f"{request}/assets", MIA).json()["assets"])
    transcript.check(
        "the files that name her are included, and the photo whose sidecar names her",
        found == named.keys(),
        found,
    )


def _approve(transcript: Transcript, client: Client, request: str, etag: str) -> None:
    match = {"If-Match": etag}
    own = client.call("PUT", f"{request}/approval", MIA, headers=match)
    transcript.check("Mia cannot approve her own request (403)", own.status_code == 403, own)
    approved = client.call("PUT", f"{request}/approval", NOOR, headers=match)
    transcript.check(
        "Noor, another DAM manager, approves it", approved.status_code == 200, approved
    )
    _reached(client, request, "completed", "the erasure")
    transcript.confirm("the request is completed")


def _check_erased(
    transcript: Transcript,
    client: Client,
    named: dict[str, dict[str, Any]],
    known: dict[str, dict[str, Any]],
) -> None:
    gone = [client.call("GET", f"tenants/{TENANT}/assets/{one}", MIA).status_code for one in named]
    transcript.check("the assets are no longer known (404)", set(gone) == {404}, gone)
    left = [a["path"] for a in named.values() if client.blob_exists(a["container"], a["blob"])]
    transcript.check("and their blobs are gone from storage", left == [], left)
    [namesake] = [one for path, one in known.items() if path.endswith(NAMESAKE)]
    stays = client.call("GET", f"tenants/{TENANT}/assets/{namesake['id']}", MIA)
    transcript.check("the namesake stays", stays.status_code == 200, stays)
    again = client.call("POST", REQUESTS, MIA, {"name": NAME}).json()["id"]
    second = _reached(client, f"{REQUESTS}/{again}", "awaiting-approval", "the second preview")
    found = second.json()["assets"]
    transcript.check("a new search for her finds the namesake alone", found == 1, second)
