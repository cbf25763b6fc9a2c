"""The second chapter: support access by consent only, visible to the tenant."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from httpx import Response
from rich.table import Table

from infra.local.demo.client import MIA, SVEN, TENANT, Client
from infra.local.demo.transcript import Transcript
from infra.local.demo.uploads import FOLDER

PURPOSE = "Find out why the preview of the photo is dark"
TICKET = "CASE-4711"


def let_in(transcript: Transcript, client: Client, assets: dict[str, dict[str, Any]]) -> None:
    """Show access refused, granted, used, revoked and refused again; then the tenant's log."""
    transcript.chapter("Nobody touches your data without your consent")
    asset = assets[f"{FOLDER}/astronaut.jpg"]
    transcript.say(f"Sven of the vendor's support asks for {asset['path']}, for ticket {TICKET}.")

    def attempt() -> Response:
        body = {"assetId": asset["id"], "operation": "read", "purpose": PURPOSE, "ticket": TICKET}
        return client.call("POST", f"tenants/{TENANT}/accesses", SVEN, body)

    refused = attempt()
    transcript.check(
        "without consent he is refused (403)", refused.status_code == 403, refused.text
    )
    grant = str(uuid4())
    client.send("consent-grants", "vouchsafe.consent.granted.v1", _consent(grant), session=TENANT)
    path = f"tenants/{TENANT}/consent-grants/{grant}"
    client.until(lambda: client.call("GET", path, MIA), lambda a: a.status_code == 200, "the grant")
    transcript.confirm("Mia's consent arrives on the queue `consent-grants` and is active")
    given = attempt()
    transcript.check("now he is let in (200)", given.status_code == 200, given.text)
    digest = hashlib.sha256(given.content).hexdigest()
    transcript.check(
        "and gets the very bytes: their SHA-256 is the asset's", digest == asset["sha256"]
    )
    revoked = client.call("PUT", f"{path}/revocation", MIA)
    transcript.check(
        "Mia revokes the consent over HTTP", revoked.json()["status"] == "revoked", revoked
    )
    refused = attempt()
    transcript.check("and he is refused again (403)", refused.status_code == 403, refused.text)
    _show_log(transcript, client)


def _consent(grant: str) -> dict[str, Any]:
    expires = datetime.now(UTC) + timedelta(hours=1)
    return {
        "grantId": grant,
        "tenant": TENANT,
        "pathPrefix": FOLDER,
        "operations": ["read"],
        "purpose": PURPOSE,
        "ticket": TICKET,
        "engineer": SVEN.id,
        "expiresAt": expires.isoformat(),
        "grantedBy": {"id": MIA.id, "role": MIA.role, "organisation": TENANT},
    }


def _show_log(transcript: Transcript, client: Client) -> None:
    def read() -> list[dict[str, Any]]:
        # The log also holds the wait for intake: each listing of the assets is an entry.
        answer = client.call("GET", f"tenants/{TENANT}/log/entries?limit=1000", MIA)
        about = ("asset.read", "consent.granted", "consent.revoked")
        return [entry for entry in answer.json()["entries"] if entry["action"] in about]

    entries = client.until(read, lambda found: len(found) >= 5, "the log of five steps")
    table = Table("time (UTC)", "who", "what", "purpose and ticket", "outcome", title="The log")
    for entry in reversed(entries):
        table.add_row(
            entry["time"][11:23],
            f"{entry['actor']['id']}\n{entry['actor']['role']}",
            entry["action"],
            f"{entry['purpose']}\n{entry['ticket']}",
            " ".join(filter(None, (entry["outcome"], entry["reason"]))),
        )
    transcript.show(table)
    outcomes = [entry["outcome"] for entry in reversed(entries) if entry["action"] == "asset.read"]
    transcript.check(
        "the tenant's log has every attempt, refused ones too: who, when, what, for what purpose",
        outcomes == ["denied", "allowed", "denied"],
        outcomes,
    )
