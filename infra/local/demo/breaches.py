"""The chapter of the breach: a misused token, scoped from the logs, and each tenant told."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from rich.table import Table

from infra.local.demo.accesses import PURPOSE, TICKET
from infra.local.demo.client import SERVICE, SVEN, TENANT, Client, Persona
from infra.local.demo.transcript import Transcript
from infra.local.demo.uploads import FOLDER

OTHER = "globex"
DORA = Persona("dora", "vendor.dpo")
OLA = Persona("ola", "vendor.officer")
_KIND = "token.misused"
_ASSESSMENT = {
    "isBreach": True,
    "factors": {
        "dataKind": "simple",
        "identification": "maximum",
        "confidentiality": "unknown-recipients",
        "isMalicious": True,
    },
    "whatHappened": "A stranger used the token of a support engineer, under consents that lived.",
    "consequences": "Pictures, and the names in their metadata, may be known to a stranger.",
    "measures": "The token was revoked, and the engineer's account is locked.",
}


def breach(transcript: Transcript, client: Client, assets: dict[str, dict[str, Any]]) -> None:
    """Show a simulated breach from the incident to both tenants' notices, with the clocks."""
    transcript.chapter("A breach is scoped from the log, and each tenant is told")
    began = datetime.now(UTC) - timedelta(hours=1)
    _misuse(client, assets)
    transcript.say(
        "A stranger has Sven's token, and reads at two tenants under consents that live. The"
        " supervisor's tool reports the token: an incident."
    )
    number = _incident(client)
    made = client.call("POST", "breaches", OLA, {"incidentId": number})
    transcript.check("the officer opens the assessment", made.status_code == 201, made.text)
    assessed = _step(client, number, "assessment", _ASSESSMENT, OLA)
    transcript.check(
        f"ENISA's severity is {assessed['severity']['score']}: {assessed['severity']['level']}",
        assessed["severity"]["level"] == "medium",
        assessed,
    )
    scope = {"since": began.isoformat(), "until": datetime.now(UTC).isoformat(), "actor": SVEN.id}
    _step(client, number, "scope", scope, OLA)
    decision = {"verdict": "breach", "reason": "Pictures with names went to a stranger."}
    _step(client, number, "decision", decision, DORA)
    record = _until(client, number, lambda found: found["overview"]["isComplete"], "the scope")
    found = client.call("GET", f"breaches/{number}/findings", DORA).json()["findings"]
    affected = {row["tenant"]: row for row in found if row["affected"] == "yes"}
    transcript.check(
        "the scope, computed from the logs of all tenants, names both tenants",
        {TENANT, OTHER} <= set(affected),
        found,
    )
    transcript.check(
        "and each log is proven whole for the range, by a signed checkpoint",
        all(affected[one]["log"]["isWhole"] for one in (TENANT, OTHER)),
        affected,
    )
    _step(client, number, "notices", {"contact": "dpo@vendor.example"}, DORA)
    record = _until(client, number, lambda found: found["noticesDone"] == 1, "the notices")
    _show(transcript, client, record)


def _show(transcript: Transcript, client: Client, record: dict[str, Any]) -> None:
    table = Table("whose", "until", "left or state", "what", title="The clocks")
    for clock in record["clocks"]:
        if clock["state"] != "not-started":
            table.add_row("the vendor's", _time(clock), _left(clock), clock["duty"])
    own = []
    for tenant in (TENANT, OTHER):
        path = f"tenants/{tenant}/breach-notices/{record['id']}"
        notice = client.call("GET", path, _admin(tenant)).json()
        own.append((tenant, notice))
        for clock in notice["clocks"]:
            table.add_row(tenant, _time(clock), _left(clock), clock["duty"])
    transcript.show(table)
    rows = Table("tenant", "assets", "persons", "categories", "not known", title="The notices")
    for tenant, notice in own:
        form = notice["form"]
        rows.add_row(
            tenant,
            str(form["data"]["assetCount"]),
            str(form["persons"]["approximateNumber"]),
            ", ".join(form["data"]["categories"]),
            str(len(form["couldNotBeDetermined"])),
        )
    transcript.show(rows)
    ids = [set(notice["form"]["data"]["assets"]) for _, notice in own]
    transcript.check(
        "each notice has the tenant's own assets, and nothing of the other tenant's",
        all(ids) and not ids[0] & ids[1],
        own,
    )


def _misuse(client: Client, assets: dict[str, dict[str, Any]]) -> None:
    """Read, with the engineer's token, an asset of each of two tenants under live grants."""
    client.call(
        "POST",
        "tenants",
        SERVICE,
        {"id": OTHER, "displayName": "Globex", "residencyZone": "eu"},
    )
    manager = Persona("gil", "tenant.dam_manager", OTHER)
    asked = {"path": f"{FOLDER}/globex.txt", "size": 5, "mediaType": "text/plain"}
    permit = client.call("POST", f"tenants/{OTHER}/uploads", manager, asked).json()
    client.put(permit["url"], b"globe")
    listed = client.until(
        lambda: client.call("GET", f"tenants/{OTHER}/assets", manager).json()["assets"],
        bool,
        "the other tenant's asset",
    )
    mia = Persona("mia", "tenant.dam_manager", TENANT)
    own = assets[f"{FOLDER}/astronaut.jpg"]
    for tenant, person, asset in ((TENANT, mia, own), (OTHER, manager, listed[0])):
        terms = {
            "pathPrefix": FOLDER,
            "operations": ["read"],
            "purpose": PURPOSE,
            "ticket": TICKET,
            "engineer": SVEN.id,
            "expiresAt": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
        }
        client.call("POST", f"tenants/{tenant}/consent-grants", person, terms)
        body = {"assetId": asset["id"], "operation": "read", "purpose": PURPOSE, "ticket": TICKET}
        client.call("POST", f"tenants/{tenant}/accesses", SVEN, body)


def _incident(client: Client) -> str:
    resource = f"tokens/{uuid4()}"
    data = {
        "kind": _KIND,
        "severity": "critical",
        "summary": "A support engineer's token was used from two places at once.",
        "resource": resource,
    }
    client.send("incidents", "vouchsafe.incident.opened.v1", data)
    found = client.until(
        lambda: client.call("GET", f"incidents?kind={_KIND}", DORA).json()["incidents"],
        bool,
        "the record of the incident",
    )
    return str(found[-1]["id"])


def _step(client: Client, number: str, name: str, body: object, who: Persona) -> dict[str, Any]:
    etag = client.call("GET", f"breaches/{number}", who).headers["ETag"]
    answer = client.call("PUT", f"breaches/{number}/{name}", who, body, {"If-Match": etag})
    found: dict[str, Any] = answer.json()
    return found


def _until(
    client: Client, number: str, holds: Callable[[dict[str, Any]], bool], what: str
) -> dict[str, Any]:
    found: dict[str, Any] = client.until(
        lambda: client.call("GET", f"breaches/{number}", DORA).json(), holds, what
    )
    return found


def _admin(tenant: str) -> Persona:
    return Persona(f"ada-of-{tenant}", "tenant.admin", tenant)


def _time(clock: dict[str, Any]) -> str:
    return str(clock["dueAt"])[:16].replace("T", " ")


def _left(clock: dict[str, Any]) -> str:
    seconds = clock["leftSeconds"]
    if seconds is None:
        return str(clock["state"])
    return time.strftime(f"{seconds // 3600} h %M min", time.gmtime(seconds % 3600))
