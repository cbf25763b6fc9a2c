"""The last chapters: a missed backup is found, and wrong input gets a clear answer."""

import json

from rich.table import Table

from infra.local.demo.client import INES, MIA, SERVICE, SVEN, Client
from infra.local.demo.transcript import Transcript


def audit(transcript: Transcript, client: Client) -> None:
    """Audit the backups against the declared expectations; one backup is missing."""
    transcript.chapter("Backups ran, or you hear of it")
    answer = client.call("POST", "backup-audits", INES)
    transcript.check(
        "Ines, the IT supervisor, audits the backups", answer.status_code == 201, answer
    )
    report = answer.json()
    table = Table("item", "vault", "verdict", "last completed", "due by", title="The audit")
    for found in report["findings"]:
        colour = "green" if found["verdict"] == "completed" else "red"
        table.add_row(
            found["item"],
            found["vault"],
            f"[{colour}]{found['verdict']}[/]",
            (found["completedAt"] or "never")[:16],
            (found["dueBy"] or "")[:16],
        )
    transcript.show(table)
    missed = [found["item"] for found in report["findings"] if found["verdict"] == "missed"]
    transcript.check(
        "the missed backup of dam-tables is reported", missed == ["dam-tables"], missed
    )
    name = f"backup-audits/{report['day']}/{report['id']}.json"
    kept = client.download("evidence", name)
    transcript.check(
        "the report is kept as a blob of `evidence`",
        kept is not None and json.loads(kept) == report,
        name,
    )
    incidents = client.incidents("backup.missed", 1)
    transcript.check(
        "and an incident is open", [i["status"] for i in incidents] == ["open"], incidents
    )
    transcript.say(f"incident {incidents[0]['kind']}: {incidents[0]['resource']}")


def refuse(transcript: Transcript, client: Client) -> None:
    """Send wrong input and show the answers."""
    transcript.chapter("Wrong input gets a clear answer")
    upload = "tenants/acme/uploads"
    cases = (
        ("no token", "GET", "tenants/acme/assets", None, None, 401),
        ("a tenant that does not exist", "GET", "tenants/globex/assets", MIA, None, 404),
        ("a role that may not", "GET", "tenants/acme/assets", SVEN, None, 403),
        ("a file named ../x", "POST", upload, MIA, _UPWARDS, 422),
        ("an unknown field", "POST", upload, MIA, {"file": "x"}, 400),
        ("an unknown zone", "POST", "tenants", SERVICE, _IN_NO_ZONE, 422),
    )
    table = Table("given", "status", "type", "what to do", title="Problems (RFC 9457)")
    for given, method, path, who, body, status in cases:
        answer = client.call(method, path, who, body)
        problem = answer.json()
        transcript.require(given, answer.status_code == status, problem)
        table.add_row(given, str(status), problem["type"], problem["remedy"])
    transcript.show(table)
    transcript.confirm(f"all {len(cases)} are refused, and each says what to do")


_UPWARDS = {"path": "../x", "size": 1, "mediaType": "image/jpeg"}
_IN_NO_ZONE = {"id": "initech", "displayName": "Initech", "residencyZone": "mars"}
