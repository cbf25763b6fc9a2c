"""Files uploaded as a portal's client does: what is filed, what is turned away, who is told."""

import asyncio
import io
import json
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import exiv2
import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobBlock
from azure.storage.blob.aio import BlobClient, ContainerClient

from samples.eicar import eicar, eicar_nested_zip, eicar_zip
from shared.azure.blobs import AzureBlobs
from shared.metadata.worker.iptc_exif_xmp_fields import KEYWORDS
from tests.journeys.portal import Portal, eventually
from tests.recorded import recorded

SAMPLES = Path(__file__).parents[2] / "samples"
MANIFEST = json.loads((SAMPLES / "manifest.json").read_text(encoding="utf-8"))["samples"]


def photo_with_virus():
    """A photo whose caption is the test file."""
    image = exiv2.ImageFactory.open((SAMPLES / "cat.jpg").read_bytes())
    image.readMetadata()
    image.iptcData()["Iptc.Application2.Caption"] = eicar().decode()
    image.writeMetadata()
    return bytes(image.io().mmap())


def tar_with_virus():
    """A compressed tar with the test file in a zip within a zip."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as archive:
        info = tarfile.TarInfo("shoot/nested.zip")
        info.size = len(eicar_nested_zip())
        archive.addfile(info, io.BytesIO(eicar_nested_zip()))
    return buffer.getvalue()


INFECTED = {
    "virus.com": eicar,
    "virus.zip": eicar_zip,
    "nested.zip": eicar_nested_zip,
    "shoot.tar.xz": tar_with_virus,
    "caption.jpg": photo_with_virus,
}


def photo(name):
    return (SAMPLES / name).read_bytes()


def commented(comment):
    """A photo with a comment in its metadata: JPEG's COM segment, ITU-T T.81 section B.2.4.5."""
    jpeg = photo("cat.jpg")
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment + jpeg[2:]


async def filed(portal, *paths):
    """The assets that these paths have become, by path, once all have."""
    found = await eventually(
        portal.assets, lambda assets: {asset["path"] for asset in assets} >= set(paths)
    )
    return {asset["path"]: asset for asset in found}


async def incidents_of(stack, resource):
    """The incidents that were opened about a resource."""
    return [one for one in await recorded(stack) if one["resource"] == resource]


async def content(blobs, container, name):
    return await (await blobs.get_blob_client(container, name).download_blob()).readall()


def is_filing(entry):
    """Whether an entry says what intake made of an upload, not who looked at it."""
    return entry["actor"]["id"] == "vouchsafe.intake"


async def names(blobs, container, prefix=""):
    client = blobs.get_container_client(container)
    return [name async for name in client.list_blob_names(name_starts_with=prefix)]


async def test_photos_are_filed_with_what_their_metadata_says(stack, blobs):
    async with Portal(stack, "samples") as portal:
        paths = {f"shoot/{sample['file']}": sample for sample in MANIFEST}
        uploads = (portal.upload(path, photo(sample["file"])) for path, sample in paths.items())
        await asyncio.gather(*uploads)
        assets = await filed(portal, *paths)
        for path, sample in paths.items():
            asset = assets[path]
            assert (asset["verdict"], asset["reason"]) == ("clean", None)
            assert asset["mediaType"] == sample["media_type"]
            assert asset["sha256"] == sample["sha256"]
            assert asset["size"] == sample["size"]
            assert asset["people"] == sorted({person["field"] for person in sample["people"]})
            assert asset["metadataNote"] == sample["note"]
            assert [one["id"] for one in asset["documents"]] == sample["documents"]
            [scan] = asset["scans"]
            assert (scan["engine"], scan["matches"], scan["refusal"]) == ("yara-x", [], None)
            assert scan["signatureVersion"]
            assert scan["scannedAt"] == asset["scannedAt"]
            assert await content(blobs, asset["container"], asset["blob"]) == photo(sample["file"])
            one = await portal.mine("GET", f"assets/{asset['id']}")
            assert one.json() == asset
            for person in sample["people"]:
                # A keyword may be a word of the path as well.
                if person["field"] not in KEYWORDS:
                    assert person["identifier"] not in one.text
        assert sorted(await names(blobs, "tenant-samples")) == sorted(paths)
        await eventually(
            lambda: names(blobs, "incoming", "samples/"), lambda waiting: waiting == []
        )
        cleared = {f"assets/{asset['id']}" for asset in assets.values()}
        log = await eventually(
            portal.log, lambda log: cleared <= {e["resource"] for e in log if is_filing(e)}
        )
        filings = [entry for entry in log if is_filing(entry)]
        assert {entry["action"] for entry in filings} == {"asset.cleared"}
        assert sorted(entry["resource"] for entry in filings) == sorted(cleared)


async def test_people_are_read_in_a_picture_that_is_given_a_process_of_its_own(stack):
    async with Portal(stack, "large-tiff") as portal:
        # What follows a TIFF's last directory belongs to no tag.
        await portal.upload("large.tif", photo("astronaut.tif") + bytes(6 * 1024 * 1024))
        asset = (await filed(portal, "large.tif"))["large.tif"]
        assert (asset["verdict"], asset["metadataNote"]) == ("clean", None)
        [sample] = [sample for sample in MANIFEST if sample["file"] == "astronaut.tif"]
        assert asset["people"] == sorted({person["field"] for person in sample["people"]})


async def notices_of(portal):
    return (await portal.mine("GET", "notices")).json()["notices"]


@pytest.mark.parametrize("path", INFECTED)
async def test_a_virus_is_quarantined_and_reported(stack, blobs, bus, path):
    data = INFECTED[path]()
    async with Portal(stack, f"virus-{path.replace('.', '-')}") as portal:
        await portal.upload(path, data)
        asset = (await filed(portal, path))[path]
        assert (asset["verdict"], asset["reason"]) == ("infected", "malware-found")
        assert any("eicar" in signature.lower() for signature in asset["scans"][0]["matches"])
        assert asset["container"] == "quarantine"
        assert await content(blobs, "quarantine", asset["blob"]) == data
        assert path not in asset["blob"]
        assert await names(blobs, f"tenant-{portal.tenant}") == []
        resource = f"assets/{asset['id']}"
        [incident] = await eventually(lambda: incidents_of(stack, resource), bool)
        assert (incident["kind"], incident["severity"]) == ("upload.infected", "critical")
        assert incident["tenant"] == portal.tenant
        [notice] = await eventually(lambda: notices_of(portal), bool)
        assert notice["kind"] == "upload-infected"
        read = (await portal.mine("GET", f"notices/{notice['id']}")).json()
        assert read["data"] == {
            "tenant": portal.tenant,
            "assetId": asset["id"],
            "foundAt": asset["filedAt"],
        }
        log = await eventually(
            portal.log, lambda log: any(entry["resource"] == resource for entry in log)
        )
        [entry] = [entry for entry in log if entry["resource"] == resource]
        assert (entry["action"], entry["outcome"]) == ("asset.quarantined", "denied")


async def test_an_empty_file_is_refused_and_reported(stack):
    async with Portal(stack, "empty-file") as portal:
        await portal.upload("empty.jpg", b"")
        asset = (await filed(portal, "empty.jpg"))["empty.jpg"]
        assert (asset["verdict"], asset["reason"]) == ("refused", "zero-bytes")
        assert asset["container"] == "quarantine"
        [incident] = await eventually(lambda: incidents_of(stack, f"assets/{asset['id']}"), bool)
        assert (incident["kind"], incident["severity"]) == ("upload.refused", "warning")


@pytest.mark.parametrize("name", ["nobody-of-ours/a.jpg", "Not A Tenant/a.jpg", "in-no-folder.jpg"])
async def test_a_file_of_no_tenant_is_refused_and_reported(stack, blobs, tables, name):
    async with Portal(stack, "somebody") as portal:
        # The app makes the container for its first upload URL.
        await portal.upload_url("first.jpg")
    await blobs.get_blob_client("incoming", name).upload_blob(photo("cat.jpg"))

    async def rows():
        found = tables.get_table_client("assets").query_entities(
            "PartitionKey eq '_unknown' and blob ne ''"
        )
        return [r async for r in found if name == "/".join(filter(None, (r["tenant"], r["path"])))]

    [row] = await eventually(rows, bool)
    assert (row["verdict"], row["reason"]) == ("refused", "upload-unknown")
    assert row["container"] == "quarantine"
    [incident] = await eventually(lambda: incidents_of(stack, f"assets/{row['id']}"), bool)
    assert (incident["kind"], incident["tenant"]) == ("upload.refused", None)
    assert await content(blobs, "quarantine", row["blob"]) == photo("cat.jpg")
    await eventually(lambda: names(blobs, "incoming", name), lambda waiting: waiting == [])


async def test_a_path_that_is_uploaded_to_again_keeps_both(stack, blobs):
    async with Portal(stack, "uploaded-again") as portal:
        await portal.upload("a/photo.jpg", photo("cat.jpg"))
        await filed(portal, "a/photo.jpg")
        await portal.upload("a/photo.jpg", photo("launch.jpg"))
        assets = await eventually(portal.assets, lambda assets: len(assets) == 2)
        assert [asset["path"] for asset in assets] == ["a/photo.jpg"] * 2
        kept = {await content(blobs, asset["container"], asset["blob"]) for asset in assets}
        assert kept == {photo("cat.jpg"), photo("launch.jpg")}
        assert {(asset["version"], asset["blob"] == "a/photo.jpg") for asset in assets} == {
            (1, True),
            (2, False),
        }


async def test_an_upload_url_only_creates_its_own_blob(stack):
    async with Portal(stack, "only-create") as portal:
        url = await portal.upload_url("one.jpg")
        place, _, signature = url.partition("?")
        folder, _, upload = place.rpartition("/")
        container = folder.removesuffix("/only-create")
        for forbidden in (
            BlobClient.from_blob_url(f"{folder}/{upload[::-1]}?{signature}"),
            BlobClient.from_blob_url(f"{container}/somebody-else/{upload}?{signature}"),
        ):
            async with forbidden as blob:
                with pytest.raises(HttpResponseError) as refused:
                    await blob.upload_blob(b"x")
                assert refused.value.status_code == 403
        async with ContainerClient.from_container_url(f"{container}?{signature}") as listing:
            with pytest.raises(HttpResponseError) as refused:
                [name async for name in listing.list_blob_names()]
            assert refused.value.status_code == 403


async def test_an_upload_url_neither_reads_nor_overwrites_nor_deletes(stack, blobs):
    """Signed as the app signs, but where no trigger takes the first upload away meanwhile."""
    signing = AzureBlobs(stack.info["connection_strings"]["storage"])
    await signing.ensure_container("signed-uploads")
    soon, past = (datetime.now(UTC) + timedelta(minutes=m) for m in (5, -5))
    url = signing.upload_url("signed-uploads", "a.jpg", soon, blocks=False)
    late = signing.upload_url("signed-uploads", "b.jpg", past, blocks=False)
    await signing.close()
    async with BlobClient.from_blob_url(url) as blob, BlobClient.from_blob_url(late) as expired:
        await blob.upload_blob(b"first")
        for forbidden in (
            lambda: blob.upload_blob(b"second"),
            lambda: blob.upload_blob(b"second", overwrite=True),
            blob.download_blob,
            blob.delete_blob,
            lambda: expired.upload_blob(b"late"),
        ):
            with pytest.raises(HttpResponseError) as refused:
                await forbidden()
            assert refused.value.status_code == 403
    assert await content(blobs, "signed-uploads", "a.jpg") == b"first"
    assert await names(blobs, "signed-uploads") == ["a.jpg"]


LIES = {
    "photo.jpg": ("launch.png", "image/jpeg", "image/png", ["type"]),
    "report.txt": ("report.pdf", "text/plain", "application/pdf", ["type"]),
    "film.png": ("clip.mp4", "video/mp4", "video/mp4", []),
    "anything": ("cat.jpg", "application/octet-stream", "image/jpeg", []),
    "short.jpg": ("cat.jpg", "image/jpeg", "image/jpeg", ["size"]),
}


async def test_a_file_that_is_not_what_was_declared_is_filed_and_says_so(stack):
    async with Portal(stack, "liars") as portal:
        for path, (sample, declared, _, differences) in LIES.items():
            data = photo(sample)
            size = len(data) + ("size" in differences)
            async with BlobClient.from_blob_url(
                await portal.upload_url(path, size, declared)
            ) as blob:
                await blob.upload_blob(data)
        assets = await filed(portal, *LIES)
        for path, (sample, declared, found, differences) in LIES.items():
            asset = assets[path]
            assert (asset["verdict"], asset["mediaType"]) == ("clean", found)
            assert (asset["declaredType"], asset["differences"]) == (declared, differences)
            assert asset["declaredSize"] == len(photo(sample)) + ("size" in differences)
            assert asset["upload"]


async def test_the_same_key_asks_for_the_same_upload(stack):
    async with Portal(stack, "idempotent") as portal:
        key = {"Idempotency-Key": "one"}
        body = {"path": "a.jpg", "size": 1, "mediaType": "image/jpeg"}
        first = await portal.mine("POST", "uploads", body=body, headers=key)
        again = await portal.mine("POST", "uploads", body=body, headers=key)
        other = await portal.mine("POST", "uploads", body=body)
        assert [answer.status_code for answer in (first, again, other)] == [201] * 3
        assert first.json()["id"] == again.json()["id"] != other.json()["id"]
        changed = await portal.mine("POST", "uploads", body=body | {"size": 2}, headers=key)
        assert changed.json()["type"] == "urn:vouchsafe:problem:idempotency-key-reused"


async def test_only_a_file_that_is_declared_large_may_come_in_blocks(stack, blobs):
    async with Portal(stack, "in-blocks") as portal:
        limit = 5000 * 1024**2
        url = await portal.upload_url("small.mxf", limit)
        async with BlobClient.from_blob_url(url) as blob:
            with pytest.raises(HttpResponseError) as refused:
                await blob.stage_block("MDAx", b"first")
            assert refused.value.status_code == 403
        # Staged with one URL and finished with the next, as when the first has expired.
        declared = {"path": "large.mxf", "size": limit + 1, "mediaType": "video/mxf"}
        for block in ("MDAx", "MDAy"):
            key = {"Idempotency-Key": "large"}
            answer = await portal.mine("POST", "uploads", body=declared, headers=key)
            async with BlobClient.from_blob_url(answer.json()["url"]) as blob:
                await blob.stage_block(block, b"a film's ")
                if block == "MDAy":
                    await blob.commit_block_list([BlobBlock("MDAx"), BlobBlock("MDAy")])
        asset = (await filed(portal, "large.mxf"))["large.mxf"]
        assert await content(blobs, asset["container"], asset["blob"]) == b"a film's a film's "
        # The blocks are far fewer bytes than were declared.
        assert (asset["reason"], asset["differences"]) == ("size-not-declared", ["size"])


async def test_assets_are_chosen_by_verdict_path_and_time(stack):
    async with Portal(stack, "chosen") as portal:
        files = {
            "a/1.jpg": photo("cat.jpg"),
            "a/2.com": eicar(),
            "ab/3.jpg": photo("cat.jpg"),
            "b/ü 4.jpg": photo("cat.jpg"),
            "a'5.jpg": photo("cat.jpg"),
        }
        for path, data in files.items():
            await portal.upload(path, data)
        everything = await filed(portal, *files)
        times = sorted(asset["uploadedAt"] for asset in everything.values())
        late = (datetime.fromisoformat(times[-1]) + timedelta(seconds=1)).isoformat()

        async def chosen(**params):
            found, params = [], {"limit": "2", **params}
            while True:
                answer = await portal.mine("GET", "assets", params=params)
                assert answer.status_code == 200, answer.text
                assert len(answer.json()["assets"]) <= 2
                found += [asset["path"] for asset in answer.json()["assets"]]
                if answer.json()["continuation"] is None:
                    return sorted(found)
                params["continuation"] = answer.json()["continuation"]

        assert await chosen() == sorted(files)
        assert await chosen(verdict="infected") == ["a/2.com"]
        assert await chosen(verdict="refused") == []
        assert await chosen(prefix="a/") == ["a/1.jpg", "a/2.com"]
        assert await chosen(prefix="a'") == ["a'5.jpg"]
        assert await chosen(prefix="b/ü") == ["b/ü 4.jpg"]
        assert await chosen(prefix="a/", verdict="clean") == ["a/1.jpg"]
        assert await chosen(uploadedFrom=times[0], uploadedBefore=late) == sorted(files)
        assert await chosen(uploadedFrom=late) == []
        assert await chosen(uploadedBefore=times[0]) == []
        assert await chosen(uploadedFrom=late, uploadedBefore=times[0]) == []


async def test_the_verdict_is_in_the_blob_index(stack, blobs):
    async with Portal(stack, "tagged") as portal:
        await portal.upload("cat.jpg", photo("cat.jpg"))
        await portal.upload("virus.com", eicar())
        for asset in (await filed(portal, "cat.jpg", "virus.com")).values():
            blob = blobs.get_blob_client(asset["container"], asset["blob"])
            assert await blob.get_blob_tags() == {"verdict": asset["verdict"]}


@pytest.mark.parametrize("path", ["é" * 1000 + ".jpg", "x/" * 300 + "a.jpg", "a." * 3])
async def test_what_another_way_brought_in_under_a_bad_name_is_refused(stack, blobs, path):
    async with Portal(stack, f"bad-name-{len(path)}") as portal:
        # The app makes the container for its first upload URL.
        await portal.upload_url("first.jpg")
        await blobs.get_blob_client("incoming", f"{portal.tenant}/{path}").upload_blob(b"bytes")
        asset = (await filed(portal, path))[path]
        assert (asset["verdict"], asset["reason"]) == ("refused", "upload-unknown")
        assert await content(blobs, "quarantine", asset["blob"]) == b"bytes"
        [incident] = await eventually(lambda: incidents_of(stack, f"assets/{asset['id']}"), bool)
        assert incident["kind"] == "upload.refused"
        await eventually(
            lambda: names(blobs, "incoming", f"{portal.tenant}/"), lambda waiting: waiting == []
        )
