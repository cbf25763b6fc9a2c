"""The first chapter: a tenant's photos are scanned and filed, and a test virus is not."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from infra.local.demo.client import INES, MIA, SERVICE, TENANT, Client
from infra.local.demo.notices import add_contacts, show_notices
from infra.local.demo.transcript import Transcript
from samples.eicar import eicar, eicar_zip

SAMPLES = Path(__file__).parents[3] / "samples"
FOLDER = "shoots"


def upload_samples(
    transcript: Transcript, client: Client, info: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Upload the sample photos and the EICAR test file; return the assets by path."""
    transcript.chapter("Nothing infected gets in")
    registration = {"id": TENANT, "displayName": "Acme Pictures", "residencyZone": "eu"}
    answer = client.call("POST", "tenants", SERVICE, registration)
    transcript.check(
        f"tenant {TENANT} is registered, in residency zone eu", answer.status_code == 201, answer
    )
    add_contacts(transcript, client, info)
    samples = {
        f"{FOLDER}/{sample['file']}": sample
        for sample in json.loads((SAMPLES / "manifest.json").read_text())["samples"]
    }
    files = {path: (SAMPLES / sample["file"]).read_bytes() for path, sample in samples.items()}
    files |= {f"{FOLDER}/{name}": data for name, data in _viruses().items()}
    uploads = _permitted(transcript, client, files)
    with transcript.bar("Uploading with azure-storage-blob", len(files)) as bar:
        for done, (path, data) in enumerate(files.items(), start=1):
            client.put(uploads[path]["url"], data)
            bar.reached(done)
    with transcript.bar("Scanned and filed", len(files)) as bar:

        def filed() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = client.call(
                "GET", f"tenants/{TENANT}/assets", MIA
            ).json()["assets"]
            bar.reached(len(found))
            return found

        listed = client.until(filed, lambda assets: len(assets) == len(files), "intake")
    assets = {asset["path"]: asset for asset in listed}
    transcript.show(_table(assets, samples))
    transcript.say(
        "The app keeps what files say encrypted, and opens the texts when somebody asks. What it"
    )
    transcript.say(
        "shows is which fields name somebody; the names above are the samples' manifest's."
    )
    _check_photos(transcript, assets, samples)
    show_notices(transcript, client, info, _check_viruses(transcript, client, assets))
    _check_uploads(transcript, client, assets, uploads)
    return assets


def _permitted(
    transcript: Transcript, client: Client, files: dict[str, bytes]
) -> dict[str, dict[str, Any]]:
    """Ask for every URL at once, and for the URL of an impossible path; return uploads by path."""
    *answers, impossible = client.permit(files | {f"{FOLDER}/../secret.jpg": b"?"})
    uploads = [answer["upload"] for answer in answers]
    transcript.check(
        f"one request gets the upload URLs of {len(files)} files; an impossible path among them is"
        " refused alone",
        None not in uploads and impossible["status"] == 422,
        impossible,
    )
    states = {client.state(upload["id"])["state"] for upload in uploads}
    transcript.require("nothing has come yet", states == {"permitted"}, states)
    return {upload["path"]: upload for upload in uploads}


def _viruses() -> dict[str, bytes]:
    return {"invoice.com": eicar(), "holiday.zip": eicar_zip()}


def _table(assets: dict[str, dict[str, Any]], samples: dict[str, Any]) -> Table:
    table = Table(
        "path", "type", "verdict", "people found, or a note", "in the fields", title="The uploads"
    )
    for path, asset in sorted(assets.items()):
        people = samples[path]["people"] if path in samples else []
        note = asset.get("reason") or asset.get("metadataNote")
        clean = asset["verdict"] == "clean"
        table.add_row(
            path,
            asset["mediaType"],
            f"[{'green' if clean else 'red'}]{asset['verdict']}[/]",
            "\n".join(sorted({person["identifier"] for person in people})) or note,
            "\n".join(sorted(set(asset["people"]))),
        )
    return table


def _check_photos(
    transcript: Transcript, assets: dict[str, dict[str, Any]], samples: dict[str, Any]
) -> None:
    for path, sample in samples.items():
        asset = assets[path]
        told = (asset["verdict"], asset["sha256"], asset["mediaType"], asset["metadataNote"])
        expected = ("clean", sample["sha256"], sample["media_type"], sample["note"])
        transcript.require(path, told == expected, told)
        fields = {person["field"] for person in sample["people"]}
        transcript.require(path, set(asset["people"]) == fields, asset["people"])
    transcript.confirm(
        f"all {len(samples)} files are clean; SHA-256, type and people are as the manifest says"
    )
    broken = assets[f"{FOLDER}/broken-metadata.jpg"]
    transcript.check(
        "the photo with broken metadata is cleared, with a note that says so",
        broken["metadataNote"] == "metadata-unreadable",
    )


def _check_viruses(
    transcript: Transcript, client: Client, assets: dict[str, dict[str, Any]]
) -> int:
    """Check the viruses and their incidents; return how many viruses there are."""
    infected = {a["id"]: a for a in assets.values() if a["verdict"] == "infected"}
    transcript.check(
        "both copies of the EICAR test file are found, plain and zipped", len(infected) == 2
    )
    places = {asset["container"] for asset in infected.values()}
    transcript.check(
        "they are in `quarantine`, not with the tenant's files", places == {"quarantine"}
    )
    incidents = client.incidents("upload.infected", len(infected))
    resources = {incident["resource"] for incident in incidents}
    transcript.check(
        "and each has opened an incident",
        resources == {f"assets/{identifier}" for identifier in infected},
        incidents,
    )
    for incident in incidents:
        transcript.say(
            f"incident {incident['kind']} ({incident['severity']}): {incident['summary']}"
        )
    path = f"incidents/{incidents[0]['id']}"
    etag = {"If-Match": client.call("GET", path, INES).headers["ETag"]}
    body = {"text": "I look into it."}
    taken = client.call("PUT", f"{path}/acknowledgement", INES, body, etag).json()
    transcript.check(
        "the IT supervisor acknowledges the first, which stops the escalation",
        taken["status"] == "acknowledged",
        taken,
    )
    for step in taken["timeline"]:
        transcript.say(
            f"{step['at'][11:19]} {step['actor']['id']} {step['action']}: {step['text']}"
        )
    return len(infected)


def _check_uploads(
    transcript: Transcript,
    client: Client,
    assets: dict[str, dict[str, Any]],
    uploads: dict[str, dict[str, Any]],
) -> None:
    found = {path: client.state(upload["id"]) for path, upload in uploads.items()}
    for path, upload in found.items():
        asset = assets[path]
        told = (upload["state"], upload["asset"], upload["reason"])
        state = "filed" if asset["verdict"] == "clean" else "refused"
        transcript.require(path, told == (state, asset["id"], asset["reason"]), upload)
    transcript.confirm("each upload tells that it is filed, or refused and why, with its asset")
