"""A tenant takes its log with it: whole, to verify offline, or as a filtered list."""

import csv
import io
import json
import uuid

import pytest

from shared.merkle import open_checkpoint
from tests.journeys.logs import downloaded, exported, grow, verifiers, verify, vkeys
from tests.journeys.portal import Portal


@pytest.fixture(scope="module")
async def portal(stack):
    async with Portal(stack, "exports-" + uuid.uuid4().hex[:8]) as portal:
        await grow(portal, 3)
        yield portal


async def test_the_whole_log_is_exported_and_verifies_offline(portal, tmp_path):
    path = await exported(portal, tmp_path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    header, end = lines[0], lines[-1]
    checkpoint = open_checkpoint(header["checkpoint"], await verifiers(portal))
    assert (header["size"], end) == (checkpoint.size, {"end": checkpoint.size})
    last = next(line for line in reversed(lines) if "entry" in line)
    assert (last["index"], last["entry"]["action"]) == (checkpoint.size - 1, "log.exported")
    arguments = [part for vkey in await vkeys(portal) for part in ("--key", vkey)]
    done = verify(path, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    cut = tmp_path / "cut.ndjson"
    cut.write_bytes(path.read_bytes().replace(b'"allowed"', b'"denied_"', 1))
    assert verify(cut, *arguments).returncode == 1


async def test_the_log_is_verified_where_it_is_served_and_continues_an_older_export(
    stack, portal, tmp_path
):
    older = await exported(portal, tmp_path)
    await grow(portal, 300)
    await portal.mine("POST", "log/checkpoints")
    keys = tmp_path / "keys.json"
    keys.write_bytes((await portal.call("GET", "keys")).content)
    token = await portal.token("mia", "tenant.viewer", portal.tenant)
    url = f"{stack.info['endpoints']['app']}/api/tenants/{portal.tenant}/log"
    done = verify(url, "--key", str(keys), "--older", str(older), "--token", token)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is intact" in done.stdout


async def test_the_list_is_exported_with_filters_and_without_formulas(portal):
    formula = '=HYPERLINK("http://evil.example")'
    await grow(portal, 1, purpose=formula, ticket="formula")
    params = {"action": "asset.read", "format": "csv"}
    file = await downloaded(await portal.mine("GET", "log/entries/export", params=params))
    assert file.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(file.text)))
    assert {row["action"] for row in rows} == {"asset.read"}
    assert [row["purpose"] for row in rows if row["ticket"] == "formula"] == ["'" + formula]
    indices = [int(row["index"]) for row in rows]
    assert indices == sorted(indices, reverse=True)
    file = await downloaded(
        await portal.mine("GET", "log/entries/export", params=params | {"format": "ndjson"})
    )
    listed = [json.loads(line) for line in file.text.splitlines()]
    assert [one["index"] for one in listed] == indices
    assert formula in [one["purpose"] for one in listed]
    newest = (await portal.log())[0]
    assert (newest["action"], newest["resource"]) == ("log.exported", "log/entries")
    accepting = {"Accept": "text/csv"}
    answer = await portal.mine("GET", "log/entries", headers=accepting, params=params)
    assert (await downloaded(answer)).text.count("\r\n") == len(rows) + 1
