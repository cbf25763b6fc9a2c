"""What the journeys of the access log share: growing a log, and holding it to what it says."""

import json
import subprocess
import sys

import httpx

from infra.local.settings import ROOT
from shared.merkle import Checkpoint, Note, VerifierKey, decode_bundle
from tests.journeys.portal import eventually
from tests.recorded import recorded


async def vkeys(portal):
    answer = await portal.call("GET", "keys", params={"tenant": portal.tenant})
    return [key["vkey"] for key in answer.json()["keys"]]


async def verifiers(portal):
    return [VerifierKey.parse(vkey) for vkey in await vkeys(portal)]


async def grow(portal, count, **changed):
    body = {"assetId": "none", "operation": "read", "purpose": "p", "ticket": "t"} | changed
    for _ in range(count):
        answer = await portal.mine("POST", "accesses", who="sven", body=body)
        assert answer.status_code == 403, answer.text


async def downloaded(answer):
    """What the link of an export leads to, as any client gets it."""
    assert answer.status_code == 303, answer.text
    assert answer.headers["Location"] == answer.json()["location"]
    async with httpx.AsyncClient(trust_env=False) as client:
        file = await client.get(answer.headers["Location"])
    assert file.status_code == 200, file.text
    return file


def verify(path, *arguments):
    """Run `verify-log` as a tenant does."""
    return subprocess.run(
        [sys.executable, "-m", "infra.ops", "verify-log", str(path), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


async def exported(portal, folder):
    """The verifiable export, in a file."""
    file = await downloaded(await portal.mine("GET", "log/export"))
    path = folder / "log.ndjson"
    path.write_bytes(file.content)
    return path


def instance(stack, command, tenant):
    """What another instance of the app says that came of a command; see there."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.accesslog.instance", command, tenant],
        cwd=ROOT,
        env=stack.settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def found(stack, tenant):
    """What the integrity watch of another instance finds."""
    return [tuple(one) for one in json.loads(instance(stack, "look", tenant))]


async def incidents(stack, tenant, count=0):
    """The incidents about a tenant's log, once there are as many as `count`."""

    async def look():
        opened = await recorded(stack)
        return [one for one in opened if (one["tenant"], one["kind"]) == (tenant, "log.integrity")]

    return await eventually(look, lambda opened: len(opened) >= count)


def size_of(note):
    return Checkpoint.parse(Note.parse(note).text).size


async def tamper(table, tenant, kind, index):
    """Change rows of the log past the app."""
    if kind == "cut":
        await table.delete_entity(tenant, "head")
        return
    if kind == "head":
        head = await table.get_entity(tenant, "head")
        head["edge0"] = bytes(len(head["edge0"]))
        await table.update_entity(head)
        return
    async for row in table.query_entities("PartitionKey eq @t", parameters={"t": tenant}):
        if not row["RowKey"].startswith("s|"):
            continue
        first = (1 << 48) - 1 - int(row["RowKey"].removeprefix("s|"), 16)
        entries = decode_bundle(row["e0"])
        if first <= index < first + len(entries):
            changed = entries[index - first].replace(b'"tenant":"', b'"tenant":"x')[:-1]
            assert changed != entries[index - first]
            row["e0"] = row["e0"].replace(entries[index - first], changed)
            await table.update_entity(row)
            return
    raise AssertionError(f"no row has entry {index}")
