"""The third chapter: a person is found, previewed, approved by a second person, and erased."""

from typing import Any

from httpx import Response

from infra.local.demo.client import MIA, NOOR, TENANT, Client
from infra.local.demo.transcript import Transcript

REQUESTS = f"tenants/{TENANT}/erasure-requests"
NAME = "Zoë Müller"
# The samples that name her: samples/README.md.
FILES = {"astronaut.tif", "launch.png", "coffee.webp"}


def erase(transcript: Transcript, client: Client, assets: dict[str, dict[str, Any]]) -> None:
    """Erase every trace of one person, found by her name."""
    transcript.chapter("Erased means erased")
    opened = client.call("POST", REQUESTS, MIA, {"name": NAME})
    transcript.check(f"Mia asks for the erasure of {NAME} (202)", opened.status_code == 202, opened)
    request = f"{REQUESTS}/{opened.json()['id']}"
    named = {asset["id"]: asset for path, asset in assets.items() if path.split("/")[-1] in FILES}
    seen = _reached(client, request, "awaiting-approval", "the preview")
    _check_preview(transcript, client, request, seen.json(), named)
    _approve(transcript, client, request, seen.headers["ETag"])
    _check_erased(transcript, client, named)


def _reached(client: Client, request: str, status: str, what: str) -> Response:
    return client.until(
        lambda: client.call("GET", request, MIA),
        lambda answer: answer.json()["status"] == status,
        what,
    )


def _check_preview(
    transcript: Transcript,
    client: Client,
    request: str,
    preview: dict[str, Any],
    named: dict[str, dict[str, Any]],
) -> None:
    transcript.check(
        f"the preview finds {preview['assets']} photos, {preview['bytes']:,} bytes, "
        f"{preview['indexRows']} index rows",
        preview["assets"] == len(FILES),
        preview,
    )
    found = set(client.call("GET", f"{request}/assets", MIA).json()["assets"])
    transcript.check(
        "they are the photos that name her, also where she is written ZOE MULLER",
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


def _check_erased(transcript: Transcript, client: Client, named: dict[str, dict[str, Any]]) -> None:
    gone = [client.call("GET", f"tenants/{TENANT}/assets/{one}", MIA).status_code for one in named]
    transcript.check("the assets are no longer known (404)", set(gone) == {404}, gone)
    left = [a["path"] for a in named.values() if client.blob_exists(a["container"], a["blob"])]
    transcript.check("and their blobs are gone from storage", left == [], left)
    again = client.call("POST", REQUESTS, MIA, {"name": NAME}).json()["id"]
    second = _reached(client, f"{REQUESTS}/{again}", "awaiting-approval", "the second preview")
    transcript.check("a new search for her finds nothing", second.json()["assets"] == 0, second)
