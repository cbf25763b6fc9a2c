"""A person is erased: found, previewed, approved by a second manager, and nowhere any more."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from azure.core.exceptions import ResourceNotFoundError

from tests.journeys.portal import Portal, eventually

SAMPLES = Path(__file__).parents[2] / "samples"
# samples/README.md says whom their metadata names.
OF_ZOE = {"shoot/astronaut.tif", "shoot/launch.png", "shoot/coffee.webp"}
OF_OTHERS = {"shoot/astronaut.jpg", "shoot/cat.jpg", "shoot/deep-field.webp"}
# Her family name as it is written, as it is folded, and as it stands in her address.
NAMES = ("müller", "muller", "mueller")


async def uploaded(portal, paths):
    """The assets that these samples become, by path."""
    files = {path: (SAMPLES / path.removeprefix("shoot/")).read_bytes() for path in paths}
    await asyncio.gather(*(portal.upload(path, data) for path, data in files.items()))
    assets = await eventually(portal.assets, lambda assets: len(assets) == len(files))
    return {asset["path"]: asset for asset in assets}


async def requested(portal, name):
    """The path of a request for this name's erasure, once its preview is there, and the preview."""
    answer = await portal.mine("POST", "erasure-requests", body={"name": name})
    assert answer.status_code == 202, answer.text
    assert name not in answer.text
    path = f"erasure-requests/{answer.json()['id']}"
    assert answer.headers["Location"] == f"/api/tenants/{portal.tenant}/{path}"
    return path, await reached(portal, path, "awaiting-approval")


async def reached(portal, path, status):
    """The answer that tells of a request once it has this status."""
    return await eventually(
        lambda: portal.mine("GET", path), lambda answer: answer.json()["status"] == status
    )


async def approve(portal, path, who, etag):
    headers = {} if etag is None else {"If-Match": etag}
    return await portal.mine("PUT", f"{path}/approval", who=who, headers=headers)


async def rows(tables, table, query="", **parameters):
    """The rows of a table; one that was never written to has none."""
    found = tables.get_table_client(table).query_entities(query, parameters=parameters)
    try:
        return [row async for row in found]
    except ResourceNotFoundError:
        return []


async def records_of(tables, tenant):
    """The ids of a tenant's assets that have a sealed record."""
    query = "PartitionKey eq @tenant and RowKey ge 'record|' and RowKey lt 'record}'"
    found = await rows(tables, "assets", query, tenant=tenant)
    return {row["RowKey"].removeprefix("record|") for row in found}


async def holding(tables, *texts):
    """The places in all tables where any of these texts stands in clear."""
    return [
        (table.name, row["PartitionKey"], row["RowKey"], column)
        async for table in tables.list_tables()
        for row in await rows(tables, table.name)
        for column, value in row.items()
        if any(text in str(value).casefold() for text in texts)
    ]


async def blob_names(blobs, tenant):
    client = blobs.get_container_client(f"tenant-{tenant}")
    return {name async for name in client.list_blob_names()}


async def test_a_person_is_erased_and_nobody_else(stack, blobs, tables):
    async with Portal(stack, "erasure-zoe") as portal:
        assets = await uploaded(portal, OF_ZOE | OF_OTHERS)
        hers = {assets[path]["id"] for path in OF_ZOE}
        others = {assets[path]["id"] for path in OF_OTHERS}
        assert await records_of(tables, portal.tenant) == hers | others

        path, seen = await requested(portal, "ZOË  MÜLLER")
        preview = seen.json()
        assert preview["assets"] == len(OF_ZOE)
        assert preview["bytes"] == sum(assets[path]["size"] for path in OF_ZOE)
        assert preview["assetsRead"] == len(OF_ZOE | OF_OTHERS)
        assert preview["requestedBy"]["id"] == "mia"
        found = await portal.mine("GET", f"{path}/assets")
        assert set(found.json()["assets"]) == hers
        await shows_a_thumbnail(portal, path, assets["shoot/launch.png"]["id"])
        [listed] = await portal.listed("erasure-requests", "erasureRequests")
        assert listed == preview
        # Until it is approved nothing is erased, and the name is kept encrypted only.
        assert await blob_names(blobs, portal.tenant) == OF_ZOE | OF_OTHERS
        assert "identifiers" in (await request_row(tables, portal, path))
        assert await holding(tables, *NAMES) == []

        etag = seen.headers["ETag"]
        empty = await portal.mine("POST", f"{path}/decisions", body={}, headers={"If-Match": etag})
        assert (empty.status_code, empty.json()["type"]) == (
            400,
            "urn:vouchsafe:problem:body-invalid",
        )
        for who, given, status, code in (
            ("mia", etag, 403, "erasure-self-approval"),
            ("noor", None, 428, "if-match-missing"),
            ("noor", '"an-older-one"', 412, "if-match-failed"),
            ("sven", etag, 403, "role-missing"),
        ):
            answer = await approve(portal, path, who, given)
            assert answer.status_code == status, answer.text
            assert answer.json()["type"] == f"urn:vouchsafe:problem:{code}"
        assert (await portal.mine("GET", path)).json() == preview

        approved = await approve(portal, path, "noor", etag)
        assert approved.status_code == 200, approved.text
        assert approved.json()["approvedBy"]["id"] == "noor"
        stale = await approve(portal, path, "nils", etag)
        assert (stale.status_code, stale.json()["type"]) == (
            412,
            "urn:vouchsafe:problem:if-match-failed",
        )
        done = await reached(portal, path, "completed")
        late = await approve(portal, path, "nils", done.headers["ETag"])
        assert (late.status_code, late.json()["type"]) == (
            409,
            "urn:vouchsafe:problem:erasure-not-awaiting-approval",
        )
        again = await approve(portal, path, "noor", done.headers["ETag"])
        assert (again.status_code, again.json()) == (200, done.json())

        await nothing_is_left(portal, blobs, tables, hers, path)
        assert await records_of(tables, portal.tenant) == others
        assert await blob_names(blobs, portal.tenant) == OF_OTHERS
        assert {asset["path"] for asset in await portal.assets()} == OF_OTHERS
        await each_step_is_told(portal, hers, path)

        # Asked again, no record names her any more.
        _, seen = await requested(portal, "Zoë Müller")
        assert [seen.json()[count] for count in ("assets", "bytes")] == [0, 0]


async def shows_a_thumbnail(portal, path, asset):
    """A manager sees the picture, the log tells it of the asset, and nobody else sees it."""
    place = f"{path}/finds/{asset}/assets/{asset}/thumbnail"
    shown = await portal.mine("GET", place)
    assert shown.status_code == 200, shown.text
    assert shown.headers["Content-Type"] == "image/jpeg"
    assert shown.headers["Cache-Control"] == "no-store"
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert shown.content.startswith(b"\xff\xd8")
    assert not has_any(shown.content, NAMES)
    log = await portal.log()
    told = [entry for entry in log if entry["action"] == "asset.thumbnail-viewed"]
    assert [(one["actor"]["id"], one["resource"]) for one in told] == [("mia", f"assets/{asset}")]
    for who, status in (("sven", 403), ("service", 403)):
        assert (await portal.mine("GET", place, who=who)).status_code == status
    wrong = f"{path}/finds/{path.rpartition('/')[2]}/assets/{asset}/thumbnail"
    answer = await portal.mine("GET", wrong)
    assert (answer.status_code, answer.json()["type"]) == (
        404,
        "urn:vouchsafe:problem:find-not-found",
    )


def has_any(data, texts):
    return any(text.encode() in data.lower() for text in texts)


async def request_row(tables, portal, path):
    request = path.removeprefix("erasure-requests/")
    client = tables.get_table_client("erasures")
    return await client.get_entity(portal.tenant, f"request|{request}")


async def nothing_is_left(portal, blobs, tables, hers, path):
    """Of the assets there are tombstones, and of the name nothing at all."""
    for asset in hers:
        assert (await portal.mine("GET", f"assets/{asset}")).status_code == 404
        row = await tables.get_table_client("assets").get_entity(portal.tenant, f"asset|{asset}")
        assert row.keys() == {
            *("PartitionKey", "RowKey", "id", "tenant"),
            *("erasedAt", "erasureRequest"),
        }
        assert f"erasure-requests/{row['erasureRequest']}" == path
    assert "identifiers" not in (await request_row(tables, portal, path))
    assert await holding(tables, *NAMES) == []
    # The same search does find what is there.
    assert {place[0] for place in await holding(tables, "shoot/cat.jpg")} >= {"assets"}


async def each_step_is_told(portal, hers, path):
    log = await eventually(
        portal.log, lambda log: "erasure.completed" in {entry["action"] for entry in log}
    )
    steps = [
        (entry["action"], entry["actor"]["id"], entry["resource"])
        for entry in log
        if entry["ticket"] == path.removeprefix("erasure-requests/")
    ]
    system = "vouchsafe.erasures"
    assert Counter(steps) == Counter(
        [
            ("erasure.requested", "mia", path),
            ("erasure.previewed", system, path),
            ("erasure.approved", "noor", path),
            *(("asset.erased", system, f"assets/{asset}") for asset in hers),
            ("erasure.batch-erased", system, path),
            ("erasure.verifying", system, path),
            ("erasure.completed", system, path),
        ]
    )
    assert {entry["purpose"] for entry in log if entry["ticket"]} == {"erasure (GDPR Art. 17)"}


async def test_the_host_never_logs_a_name(stack):
    async with Portal(stack, "erasure-logs") as portal:
        [asset] = (await uploaded(portal, {"shoot/astronaut.tif"})).values()
        path, seen = await requested(portal, "Zoë Müller")
        assert seen.json()["assets"] == 1
        await approve(portal, path, "noor", seen.headers["ETag"])
        await reached(portal, path, "completed")
    log = Path(stack.info["processes"]["host"]["log"])
    text = (await asyncio.to_thread(log.read_text, encoding="utf-8")).casefold()
    assert not [name for name in NAMES if name in text]
    assert asset["id"].casefold() in text


@pytest.mark.parametrize(
    ("name", "count"), [("Nobody At All", 0), ("ZOE.MUELLER@example.org", 1), ("zoe muller", 1)]
)
async def test_what_is_found_is_erased_even_if_it_is_nothing(stack, name, count):
    async with Portal(
        stack, f"erasure-of-{name.split()[0].partition('@')[0][:3].lower()}"
    ) as portal:
        assets = await uploaded(portal, {"shoot/astronaut.tif"})
        path, seen = await requested(portal, name)
        assert seen.json()["assets"] == count
        approved = await approve(portal, path, "noor", seen.headers["ETag"])
        assert approved.status_code == 200, approved.text
        await reached(portal, path, "completed")
        assert len(await portal.assets()) == len(assets) - count
