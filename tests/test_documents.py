"""The hand-written tables, and the sample of settings, say what the code does."""

import json
import re
from dataclasses import fields
from pathlib import Path

from infra.local.ports import Ports, setting_name
from infra.local.settings import app_settings
from shared.residency import ZONES
from shared.settings import Settings

ROOT = Path(__file__).parents[1]
SOURCES = [
    path.read_text(encoding="utf-8")
    for wing in ("functions", "shared")
    for path in (ROOT / wing).rglob("*.py")
]


def page(name):
    """The text of a document."""
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def first_column(text):
    """What stands in backquotes in the first column of the tables."""
    cells = re.findall(r"^\| (`[^|]+) \|", text, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def in_sources(pattern):
    """The groups of all matches in the code of the app."""
    return {found for source in SOURCES for found in re.findall(pattern, source)}


def test_the_sample_has_every_setting():
    names = {field.name for field in fields(Settings)}
    sample = json.loads((ROOT / "local.settings.sample.json").read_text(encoding="utf-8"))
    assert sample["Values"].keys() == {*names, "AzureWebJobsStorage", "FUNCTIONS_WORKER_RUNTIME"}


def test_the_local_stack_sets_every_setting(tmp_path):
    given = app_settings(Ports(), tmp_path / "ca.pem", "header")
    assert {field.name for field in fields(Settings)} <= given.keys()


def test_every_port_is_in_the_table():
    assert sorted(first_column(page("how-to/local-stack.md"))) == sorted(
        setting_name(field.name) for field in fields(Ports)
    )


def test_every_residency_zone_is_in_the_table_with_its_regions():
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", page("explanation/privacy.md"), re.MULTILINE)
    told = {zone: frozenset(re.findall(r"`(\w+)`", regions)) for zone, regions in rows}
    assert told == {name: zone.regions for name, zone in ZONES.items()}


def test_every_kind_of_incident_leads_to_a_page():
    kinds = in_sources(r"kind=f?\"((?:[a-z]+)\.[a-z-]*)")
    kinds |= in_sources(r"kind: [\w\[\]. ]*= \"([a-z]+\.[a-z-]+)\"")
    kinds |= in_sources(r"KIND(?:: Final)? = \"([a-z]+\.[a-z-]+)\"")
    assert len(kinds) >= 6
    listed = first_column(page("how-to/operator.md"))
    for kind in kinds:
        # A kind that ends in a variable is told by its beginning.
        assert any(name.startswith(kind) for name in listed), kind


def test_every_reason_of_a_refused_upload_is_in_the_table():
    reasons = in_sources(r"\"((?:archive|scan)-[a-z-]+)\"")
    reasons |= in_sources(
        r"(?:Filing\(\"\w+\", |is None, |limit, |== 0, |_block_blob, |upload.size\), )\"([a-z-]+)\""
    )
    # The name of a queue.
    reasons.discard("scan-results")
    listed = set(first_column(page("how-to/tenant-uploads.md")))
    # The others are codes of parked messages.
    problems = set(first_column(page("reference/problems.md")))
    assert len(reasons) >= 14
    assert reasons - problems <= listed


def test_every_note_of_an_asset_is_in_its_table():
    notes = in_sources(r"\"(metadata-[a-z-]+|active-content|polyglot)\"")
    # A reader's own word, which leaves the reader as `metadata-xmp-only`.
    notes.discard("metadata-not-supported")
    assert len(notes) == 11
    assert notes <= set(first_column(page("how-to/tenant-uploads.md")))


def test_every_reason_of_a_denied_access_is_in_the_table():
    reasons = in_sources(
        r"\"((?:ticket|purpose)-differs|[a-z]+-not-covered|consent-grant-revoked)\""
    )
    reasons |= {"no-consent-grant", "consent-grant-expired", "asset-not-found", "asset-quarantined"}
    assert reasons <= set(first_column(page("how-to/support-engineer.md")))


def test_every_action_of_an_entry_is_in_the_table():
    text = page("explanation/access-log.md").split("## What is an entry")[1].split("\n## ")[0]
    listed = set(first_column(text))
    listed |= {f"erasure{name}" for name in listed if name.startswith(".")}
    recorded = in_sources(
        r"\"((?:asset|assets|upload|consent|consents|erasure|erasures|re(?:scan|read)s?|tenant|log)"
        r"\.(?:[a-z]+-)*[a-z]+ed)\""
    )
    # A kind of incident.
    recorded.discard("upload.repeated")
    assert len(recorded) >= 20
    assert recorded <= listed
