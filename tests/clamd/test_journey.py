"""Uploads on a stack whose app scans with clamd, also while clamd is down."""

import asyncio
from pathlib import Path

import httpx
import pytest

from infra.local.stack import Stack
from samples.eicar import eicar_nested_zip
from tests.clamd.conftest import MAX_STREAM, MIB
from tests.journeys.portal import Portal, eventually
from tests.recorded import recorded

PHOTO = (Path(__file__).parents[2] / "samples/cat.jpg").read_bytes()


@pytest.fixture(scope="module")
def own_clamd(made):
    clamd = made()
    clamd.start()
    return clamd


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory, own_clamd):
    settings = {
        "SCANNER": "clamd",
        "CLAMD_ADDRESS": own_clamd.path,
        "CLAMD_MAX_STREAM_MIB": str(MAX_STREAM // MIB),
    }
    folder = tmp_path_factory.mktemp("stack")
    with Stack(folder, in_memory=True, settings=settings, lock_duration="PT10S") as started:
        yield started


async def filed(portal, count):
    """The assets by path, once there are so many."""
    found = await eventually(portal.assets, lambda assets: len(assets) == count)
    return {asset["path"]: asset for asset in found}


async def incidents(stack):
    """The kinds of all incidents."""
    return {one["kind"] for one in await recorded(stack)}


async def test_clamd_decides(own_stack):
    async with Portal(own_stack, "decided") as portal:
        await portal.upload("cat.jpg", PHOTO)
        await portal.upload("nested.zip", eicar_nested_zip())
        await portal.upload("film.mp4", bytes(MAX_STREAM + 1))
        assets = await filed(portal, 3)
        assert {path: (a["verdict"], a["reason"]) for path, a in assets.items()} == {
            "cat.jpg": ("clean", None),
            "nested.zip": ("infected", "malware-found"),
            "film.mp4": ("refused", "scan-too-large"),
        }
        assert assets["nested.zip"]["scans"][0]["matches"] == ["Vouchsafe.Eicar.UNOFFICIAL"]
        assert {asset["scans"][0]["engine"] for asset in assets.values()} == {"clamd"}


async def test_while_clamd_is_down_nothing_is_cleared(own_stack, own_clamd):
    async with Portal(own_stack, "down") as portal:
        await portal.upload("first.jpg", PHOTO)
        await filed(portal, 1)
        own_clamd.stop()
        await portal.upload("second.jpg", PHOTO)
        # Longer than an upload takes; whether it was enough changes no outcome of the test.
        await asyncio.sleep(2)
        assert list(await filed(portal, 1)) == ["first.jpg"]
        async with httpx.AsyncClient(trust_env=False) as http:
            url = f"{own_stack.info['endpoints']['app']}/admin/functions/watch_scanner"
            assert (await http.post(url, json={"input": ""})).status_code == 202
        kinds = await eventually(
            lambda: incidents(own_stack), lambda kinds: "scanner.unavailable" in kinds
        )
        assert "scanner.signatures-old" not in kinds
        own_clamd.start()
        assets = await filed(portal, 2)
        assert assets["second.jpg"]["verdict"] == "clean"
