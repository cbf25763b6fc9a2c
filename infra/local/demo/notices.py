"""The notices of the demo: a mail in the tenant's language, and a signed webhook."""

import ssl
from collections.abc import Mapping
from typing import Any

import httpx

from infra.local.demo.client import ADA, TENANT, Client
from infra.local.demo.transcript import Transcript

ADDRESS = "datenschutz@acme.example"
HOOK = "acme"


def add_contacts(transcript: Transcript, client: Client, info: Mapping[str, Any]) -> None:
    """Give the tenant a contact who reads German, and a webhook."""
    mail = {"address": ADDRESS, "language": "de", "timeZone": "Europe/Berlin"}
    answer = client.call("POST", f"tenants/{TENANT}/contacts", ADA, mail)
    transcript.require("the contact", answer.status_code == 201, answer)
    receiver = info["endpoints"]["webhook_receiver"]
    hook = {"address": f"{receiver}/hooks/{HOOK}", "channel": "webhook"}
    answer = client.call("POST", f"tenants/{TENANT}/contacts", ADA, hook)
    transcript.require("the webhook", answer.status_code == 201, answer)
    with _receiver(info) as http:
        http.put(f"/hooks/{HOOK}", json={"secret": answer.json()["secret"]})
    transcript.say(f"contacts: {ADDRESS}, in German, and a webhook of the tenant's own system")


def show_notices(
    transcript: Transcript, client: Client, info: Mapping[str, Any], count: int
) -> None:
    """Show the mail as it arrived, and what the webhook's receiver took."""
    mailbox = f"{info['endpoints']['mailbox']}/mails"

    def mails() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = httpx.get(
            mailbox, params={"to": ADDRESS}, trust_env=False
        ).json()
        return found

    found = client.until(mails, lambda arrived: len(arrived) >= count, "mails")
    transcript.check(
        "a mail about each came to the tenant's contact, in German",
        [mail["subject"] for mail in found]
        == ["Ein Upload war infiziert und ist in Quarantäne"] * count,
        found,
    )
    transcript.say(f"Subject: {found[0]['subject']}")
    for line in found[0]["text"].strip().splitlines():
        transcript.say(f"  {line}")
    with _receiver(info) as http:

        def hooks() -> list[dict[str, Any]]:
            arrived: list[dict[str, Any]] = http.get(f"/hooks/{HOOK}").json()
            return arrived

        arrived = client.until(hooks, lambda taken: len(taken) >= count, "webhooks")
    transcript.check(
        "and the tenant's own system got both, with signatures that it has checked",
        {one["data"]["type"] for one in arrived} == {"vouchsafe.upload.infected.v1"},
        arrived,
    )


def _receiver(info: Mapping[str, Any]) -> httpx.Client:
    return httpx.Client(
        base_url=info["endpoints"]["webhook_receiver"],
        verify=ssl.create_default_context(cafile=info["ca_file"]),
        trust_env=False,
    )
