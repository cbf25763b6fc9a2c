"""The chapter of the log's proofs: the tenant verifies the log, and a forged log fails."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx

from infra.local.demo.client import MIA, TENANT, Client
from infra.local.demo.transcript import Transcript
from infra.local.settings import ROOT


def verify(transcript: Transcript, client: Client) -> None:
    """Export the log as Mia, verify offline, change one word, and verify again."""
    transcript.chapter("The log is true, and you need not trust us about it")
    transcript.say("Mia takes the whole log with her, and the vendor's public keys.")
    keys = client.call("GET", "keys", None)
    link = client.call("GET", f"tenants/{TENANT}/log/export", MIA)
    transcript.check(
        "the export is a link that works for minutes (303)", link.status_code == 303, link
    )
    export = httpx.get(link.headers["Location"], trust_env=False).content
    with tempfile.TemporaryDirectory() as folder:
        kept, log = Path(folder) / "keys.json", Path(folder) / "log.ndjson"
        kept.write_bytes(keys.content)
        log.write_bytes(export)
        transcript.say("$ python -m infra.ops verify-log log.ndjson --key keys.json")
        status, sentence = _verify_log(log, kept)
        transcript.say(sentence)
        transcript.check(
            "every entry is re-hashed to the root that was signed", status == 0, sentence
        )
        log.write_bytes(export.replace(b'"denied"', b'"failed"', 1))
        transcript.say("Somebody writes into it that an access had failed which had been denied.")
        status, sentence = _verify_log(log, kept)
        transcript.say(sentence)
        transcript.check("one changed word shows, and which entry it is in", status == 1, sentence)


def _verify_log(log: Path, keys: Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "infra.ops", "verify-log", str(log), "--key", str(keys)]
    done = subprocess.run(
        [*command, "--json", "--quiet"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if not done.stdout:
        return done.returncode, done.stderr.strip()
    return done.returncode, str(json.loads(done.stdout)["sentence"])
