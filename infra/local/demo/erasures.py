"""The third chapter: a person is found, previewed, approved by a second person, and erased."""

from typing import Any

from httpx import Response

from infra.local.demo.account import Account
from infra.local.demo.client import MIA, NOOR, TENANT, Client

NAME = "Zoë Müller"
# The samples that name her: samples/README.md.
FILES = {"astronaut.tif", "launch.png", "coffee.webp"}


def erase(account: Account, client: Client, assets: dict[str, dict[str, Any]]) -> None:
    """From a person's name to nothing left of her."""
    account.chapter("Erased means erased")
    requests = f"tenants/{TENANT}/erasure-requests"
    opened = client.call("POST", requests, MIA, {"name": NAME})
    account.check(f"Mia asks for the erasure of {NAME} (202)", opened.status_code == 202, opened)
    request = f"{requests}/{opened.json()['id']}"

    def state() -> Response:
        return client.call("GET", request, MIA)

    seen = client.until(state, lambda a: a.json()["status"] == "awaiting-approval", "the preview")
    preview = seen.json()
    account.check(
        f"the preview finds {preview['assets']} photos, {preview['bytes']:,} bytes, "
        f"{preview['indexRows']} index rows",
        preview["assets"] == len(FILES),
        preview,
    )
    found = set(client.call("GET", f"{request}/assets", MIA).json()["assets"])
    named = {asset["id"]: asset for path, asset in assets.items() if path.split("/")[-1] in FILES}
    account.check(
        "they are the photos that name her, also where she is written ZOE MULLER",
        found == named.keys(),
        found,
    )
    match = {"If-Match": seen.headers["ETag"]}
    own = client.call("PUT", f"{request}/approval", MIA, headers=match)
    account.check("Mia cannot approve her own request (403)", own.status_code == 403, own)
    approved = client.call("PUT", f"{request}/approval", NOOR, headers=match)
    account.check("Noor, another DAM manager, approves it", approved.status_code == 200, approved)
    client.until(state, lambda a: a.json()["status"] == "completed", "the erasure")
    account.confirm("the request is completed")
    gone = [client.call("GET", f"tenants/{TENANT}/assets/{one}", MIA).status_code for one in named]
    account.check("the assets are no longer known (404)", set(gone) == {404}, gone)
    left = [a["path"] for a in named.values() if client.blob_exists(a["container"], a["blob"])]
    account.check("and their blobs are gone from storage", left == [], left)
    again = client.call("POST", requests, MIA, {"name": NAME}).json()["id"]
    second = client.until(
        lambda: client.call("GET", f"{requests}/{again}", MIA),
        lambda a: a.json()["status"] == "awaiting-approval",
        "the second preview",
    )
    account.check("a new search for her finds nothing", second.json()["assets"] == 0, second)
