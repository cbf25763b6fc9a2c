"""Uploads that Defender scans, on a stack without a host: each step is taken here, in any order."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from azure.servicebus.aio import ServiceBusClient
from azure.storage.blob.aio import BlobServiceClient

from infra.local.stack import Stack
from samples.eicar import eicar
from shared.catalogue import INCIDENTS_QUEUE, INTAKE_QUEUE
from shared.errors import InvalidInputError, RefusalError, UnavailableError
from shared.messages import decode
from shared.messages.contracts import BlobUploaded
from tests.compositions import OneSecret, composed, permitted, registered
from tests.queues import data_of, peeked

PHOTO = (Path(__file__).parents[2] / "samples/cat.jpg").read_bytes()
FINISHED = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    """Storage and bus, and nobody who works on them."""
    settings = {"SCANNER": "defender", "SCAN_RESULT_MINUTES": "30"}
    with Stack(
        tmp_path_factory.mktemp("stack"),
        in_memory=True,
        settings=settings,
        processes=["azurite", "servicebus"],
    ) as stack:
        yield stack


@pytest.fixture
async def app(services):
    async with composed(services.settings, OneSecret()) as app:
        yield app


@pytest.fixture
async def bus(services):
    string = services.info["connection_strings"]["service_bus"]
    async with ServiceBusClient.from_connection_string(string) as client:
        yield client


@pytest.fixture
async def tenant(app):
    return await registered(app)


@pytest.fixture
async def upload(services, app, tenant):
    """`await upload(path)` uploads a photo and says what its trigger would say."""
    string = services.info["connection_strings"]["storage"]
    await app.blobs.ensure_container("incoming")
    async with BlobServiceClient.from_connection_string(string) as client:
        names = {}

        async def put(path, data=PHOTO, **given):
            if path not in names:
                names[path] = await permitted(app, tenant, path, len(data))
            name = names[path]
            await client.get_blob_client("incoming", name).upload_blob(data, **given)
            blob = await app.blobs.head("incoming", name)
            return BlobUploaded(name=name, etag=blob.etag, last_modified=blob.last_modified)

        yield put


@pytest.fixture
def result(services):
    """`result(uploaded, ...)` is the event that Event Grid brings."""
    account = services.info["endpoints"]["blob"]

    def event(uploaded, kind="No threats found", *, url=None, etag=None, at=FINISHED, **details):
        data = {
            "correlationId": "52d00da0",
            "blobUri": url or f"{account}/incoming/{uploaded.name}",
            "eTag": etag or uploaded.etag.strip('"'),
            "scanFinishedTimeUtc": at.isoformat(),
            "scanResultType": kind,
            "scanResultDetails": details or None,
        }
        event = {"eventType": "Microsoft.Security.MalwareScanningResult", "data": data}
        return json.dumps(event).encode()

    return event


async def assets(app, tenant):
    found, _ = await app.assets.page(tenant, size=10, continuation=None)
    return [(asset.path, asset.verdict, asset.reason) for asset in found]


async def announced(bus, uploaded):
    """The ids of the messages that have a version of a blob taken in."""
    messages = [decode(b"".join(one.body)) for one in await peeked(bus, INTAKE_QUEUE.name)]
    return [one.id for one in messages if one.data == uploaded]


async def kept(app, tenant):
    """What is known of the scans of a tenant's uploads."""
    rows = app.tables.scan("scans", "defender", prefix="upload")
    return [row async for row in rows if row.values["name"].startswith(f"{tenant}/")]


async def incidents(bus, kind, tenant):
    found = [data_of(message) for message in await peeked(bus, INCIDENTS_QUEUE.name)]
    return [one for one in found if one["kind"] == kind and one["tenant"] == tenant]


async def test_the_result_comes_after_intake_has_looked(app, bus, tenant, upload, result):
    uploaded = await upload("cat.jpg")
    await app.intake.process_upload(uploaded)
    assert await assets(app, tenant) == []
    assert await announced(bus, uploaded) == []
    await app.scan_results.take(result(uploaded))
    assert len(await announced(bus, uploaded)) == 1
    await app.intake.process_upload(uploaded)
    assert await assets(app, tenant) == [("cat.jpg", "clean", None)]
    assert await app.blobs.head("incoming", uploaded.name) is None
    assert await kept(app, tenant) == []


async def test_the_result_comes_first(app, bus, tenant, upload, result):
    uploaded = await upload("cat.jpg")
    await app.scan_results.take(result(uploaded))
    await app.intake.process_upload(uploaded)
    assert await assets(app, tenant) == [("cat.jpg", "clean", None)]
    # The message that the result has sent finds nothing left to do.
    assert len(await announced(bus, uploaded)) == 1
    await app.intake.process_upload(uploaded)
    assert await assets(app, tenant) == [("cat.jpg", "clean", None)]
    assert await kept(app, tenant) == []


async def test_both_at_once_file_it_in_the_end(app, bus, tenant, upload, result):
    uploaded = await upload("cat.jpg")
    await asyncio.gather(
        *(app.intake.process_upload(uploaded) for _ in range(3)),
        *(app.scan_results.take(result(uploaded)) for _ in range(3)),
    )
    if not await assets(app, tenant):
        assert await announced(bus, uploaded)
        await app.intake.process_upload(uploaded)
    assert await assets(app, tenant) == [("cat.jpg", "clean", None)]


@pytest.mark.parametrize(
    ("kind", "details", "verdict"),
    [
        ("Malicious", {"malwareNamesFound": ["Virus:X"]}, ("infected", "malware-found")),
        ("Not Scanned", {}, ("refused", "scan-not-possible")),
        ("Error", {}, ("refused", "scan-failed")),
        ("No threats found", {"sha256": "0" * 64}, ("refused", "scan-of-other-bytes")),
    ],
)
async def test_what_defender_finds_is_done(app, tenant, upload, result, kind, details, verdict):
    uploaded = await upload("cat.jpg")
    await app.scan_results.take(result(uploaded, kind, **details))
    await app.intake.process_upload(uploaded)
    assert await assets(app, tenant) == [("cat.jpg", *verdict)]
    found, _ = await app.assets.page(tenant, size=10, continuation=None)
    [scan] = found[0].scans
    assert scan.engine == "defender"
    assert scan.matches == tuple(details.get("malwareNamesFound", ()))


async def test_the_stated_hash_may_be_in_capitals(app, tenant, upload, result):
    uploaded = await upload("cat.jpg")
    await app.scan_results.take(result(uploaded))
    await app.intake.process_upload(uploaded)
    found, _ = await app.assets.page(tenant, size=10, continuation=None)
    again = await upload("again.jpg")
    await app.scan_results.take(result(again, sha256=found[0].sha256.upper()))
    await app.intake.process_upload(again)
    assert ("again.jpg", "clean", None) in await assets(app, tenant)


@pytest.mark.parametrize("write", [str, quote], ids=["as it is", "encoded"])
async def test_names_are_found_however_they_are_written(
    services, app, tenant, upload, result, write
):
    uploaded = await upload("100% a?b#c/ä.jpg")
    url = f"{services.info['endpoints']['blob']}/incoming/{write(uploaded.name)}"
    await app.scan_results.take(result(uploaded, url=url))
    await app.intake.process_upload(uploaded)
    assert await assets(app, tenant) == [("100% a?b#c/ä.jpg", "clean", None)]


async def test_a_result_for_another_version_changes_nothing(app, bus, tenant, upload, result):
    uploaded = await upload("cat.jpg")
    newer = await upload("cat.jpg", b"another picture", overwrite=True)
    await app.scan_results.take(result(uploaded))
    assert await announced(bus, newer) == await announced(bus, uploaded) == []
    await app.intake.process_upload(newer)
    assert await assets(app, tenant) == []


async def test_a_late_duplicate_changes_nothing(app, tenant, upload, result):
    uploaded = await upload("cat.jpg")
    await app.scan_results.take(result(uploaded))
    await app.intake.process_upload(uploaded)
    await app.scan_results.take(result(uploaded, "Malicious"))
    assert await assets(app, tenant) == [("cat.jpg", "clean", None)]
    assert await kept(app, tenant) == []


@pytest.mark.parametrize("first", ["No threats found", "Malicious"])
async def test_the_later_of_two_results_counts_whichever_comes_first(
    app, tenant, upload, result, first
):
    uploaded = await upload("cat.jpg")
    [second] = {"No threats found", "Malicious"} - {first}
    events = [
        result(uploaded, first, at=FINISHED),
        result(uploaded, second, at=FINISHED - timedelta(hours=1)),
    ]
    for event in events:
        await app.scan_results.take(event)
    await app.intake.process_upload(uploaded)
    [(_, verdict, _)] = await assets(app, tenant)
    assert verdict == ("infected" if first == "Malicious" else "clean")


@pytest.mark.parametrize(
    "url",
    [
        "https://somebody.blob.core.windows.net/incoming/{name}",
        "{account}/quarantine/{name}",
        "{account}/incoming2/{name}",
        "{account}x/incoming/{name}",
        "not a url",
    ],
)
async def test_what_is_not_ours_is_refused_and_changes_nothing(
    services, app, bus, tenant, upload, result, url
):
    uploaded = await upload("cat.jpg")
    where = url.format(account=services.info["endpoints"]["blob"], name=uploaded.name)
    with pytest.raises(InvalidInputError) as refused:
        await app.scan_results.take(result(uploaded, url=where))
    assert refused.value.code == "scan-result-not-ours"
    await app.intake.process_upload(uploaded)
    assert await assets(app, tenant) == []


async def test_where_another_engine_scans_no_result_is_taken(services, result, app, upload):
    uploaded = await upload("cat.jpg")
    async with composed(services.settings | {"SCANNER": "yara-x"}) as other:
        with pytest.raises(RefusalError) as refused:
            await other.scan_results.take(result(uploaded))
        assert refused.value.code == "scan-result-unexpected"
        await other.scan_results.report_missing()


def app_at(services, now):
    """The app at a time of our choosing."""
    return composed(services.settings, OneSecret(), lambda: now)


async def test_a_result_that_does_not_come_is_reported_once_a_day(
    services, app, bus, tenant, upload, result
):
    uploaded = await upload("cat.jpg")
    noon = FINISHED
    async with app_at(services, noon) as then:
        await then.intake.process_upload(uploaded)

    async def reported(after):
        """The incidents once the watch has looked, so long after noon."""
        async with app_at(services, noon + after) as later:
            await later.scan_results.report_missing()
        return await incidents(bus, "scan.result-missing", tenant)

    assert await reported(timedelta(minutes=30)) == []
    [incident] = await reported(timedelta(minutes=31))
    assert incident["severity"] == "critical"
    assert uploaded.name not in json.dumps(incident)
    assert len(await reported(timedelta(hours=11, minutes=59))) == 1
    assert len(await reported(timedelta(hours=12))) == 2
    # The result can still come.
    await app.scan_results.take(result(uploaded))
    await app.intake.process_upload(uploaded)
    assert await assets(app, tenant) == [("cat.jpg", "clean", None)]
    *_, over = await reported(timedelta(days=3))
    assert (over["resource"], over["reason"]) == (
        incident["resource"],
        "Defender has sent the result.",
    )
    assert len(await reported(timedelta(days=4))) == 3


class Down:
    """A bus that does not answer."""

    async def send(self, messages):
        raise UnavailableError("bus")

    async def close(self):
        pass


async def test_a_result_that_could_not_be_announced_is_announced_later(
    services, app, bus, tenant, upload, result
):
    uploaded = await upload("cat.jpg")
    async with app_at(services, FINISHED) as then:
        then.adapters.bus = Down()
        await then.scan_results.take(result(uploaded))
        # Delivered again, while the bus is still down.
        await then.scan_results.take(result(uploaded))
    assert await announced(bus, uploaded) == []
    async with app_at(services, FINISHED + timedelta(minutes=1)) as later:
        await later.outbox.sweep()
    assert len(await announced(bus, uploaded)) == 1
    await app.scan_results.take(result(uploaded))
    assert len(await announced(bus, uploaded)) == 1
    await app.intake.process_upload(uploaded)
    assert await assets(app, tenant) == [("cat.jpg", "clean", None)]


async def test_what_is_left_of_a_filed_upload_is_tidied(services, app, tenant, upload):
    uploaded = await upload("cat.jpg")
    await app.intake.process_upload(uploaded)
    await app.blobs.delete("incoming", uploaded.name)
    assert len(await kept(app, tenant)) == 1
    async with app_at(services, datetime.now(UTC) + timedelta(days=1)) as later:
        await later.scan_results.report_missing()
    assert await kept(app, tenant) == []


@pytest.mark.parametrize(
    ("data", "kind", "verdict"),
    [
        (PHOTO, "No threats found", ("clean", None)),
        (PHOTO, "Malicious", ("infected", "malware-found")),
        (PHOTO, "Not Scanned", ("refused", "scan-not-possible")),
        (eicar(), "No threats found", ("infected", "malware-found")),
        (eicar(), "Error", ("infected", "malware-found")),
    ],
)
async def test_two_engines_must_both_clear(services, tenant, upload, result, data, kind, verdict):
    both = services.settings | {"SCANNER": "yara-x,defender"}
    async with composed(both, OneSecret()) as app:
        uploaded = await upload("a", data)
        await app.intake.process_upload(uploaded)
        assert await assets(app, tenant) == []
        await app.scan_results.take(result(uploaded, kind))
        await app.intake.process_upload(uploaded)
        assert await assets(app, tenant) == [("a", *verdict)]
        found, _ = await app.assets.page(tenant, size=10, continuation=None)
        assert [scan.engine for scan in found[0].scans] == ["yara-x", "defender"]
        assert {scan.scanned_at for scan in found[0].scans} == {found[0].scanned_at}
        matched = {scan.engine for scan in found[0].scans if scan.matches}
        assert matched == (
            ({"yara-x"} if data != PHOTO else set())
            | ({"defender"} if kind == "Malicious" else set())
        )
        assert await kept(app, tenant) == []
