"""What the tests of rereads share: a vault with versions, records of before, deliveries."""

import hashlib
from datetime import datetime
from pathlib import Path

import msgspec

from shared.assets.service import ASSETS, asset_row, record_row
from shared.errors import DataKeyError
from shared.ids import key
from shared.messages.contracts import Actor
from shared.ports import DataKey, Merge, Replace, Row, Upsert
from shared.rereads.rules import Selection
from shared.rows import to_values
from tests.compositions import arrived

PHOTO = (Path(__file__).parents[2] / "samples/astronaut.jpg").read_bytes()
PERSON = "Eileen Collins"
ADA = Actor(id="ada", role="tenant.admin", organisation="A tenant")
ALL = Selection()


class DataKeyVersions:
    """A vault in which a test makes and destroys versions."""

    def __init__(self):
        self.last = 1
        self.destroyed = set()

    def rotate(self):
        self.last += 1

    async def newest(self, tenant):
        return await self.version(tenant, str(self.last))

    async def version(self, tenant, version):
        if version in self.destroyed:
            raise DataKeyError(tenant, "destroyed")
        return DataKey(hashlib.sha256(f"{tenant} {version}".encode()).digest(), version)

    async def destroy(self, _tenant: str) -> datetime | None:
        return None

    async def ping(self):
        return


def sidecar(names):
    """An XMP sidecar that shows people."""
    shown = "".join(f"<rdf:li>{name}</rdf:li>" for name in names)
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF'
        ' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
        ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"><rdf:Description>'
        f"<Iptc4xmpExt:PersonInImage><rdf:Bag>{shown}</rdf:Bag></Iptc4xmpExt:PersonInImage>"
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def many(*names):
    """A sidecar whose record is too large for a row."""
    others = (f"P {hashlib.sha256(str(number).encode()).hexdigest()}" for number in range(3000))
    return sidecar([*others, *names])


async def filed(app, tenant, path, data=PHOTO):
    """Upload a file and take the file in; the asset."""
    event = await arrived(app, tenant, path, data)
    await app.intake.process_upload(event)
    return await app.assets.find(tenant, event.name.rpartition("/")[2])


async def made_by(app, asset, reader):
    """Let the record of an asset be of another reader, with the path alone; None for no record."""
    partition = key(asset.tenant)
    row = await app.tables.get(ASSETS, partition, asset_row(asset.id))
    before = msgspec.structs.replace(asset, metadata_reader=reader, people=(), documents=())
    changed = Row(partition, row.row, to_values(before), row.etag)
    await app.tables.commit(ASSETS, [Replace(changed)])
    if reader is None:
        await app.tables.delete(ASSETS, partition, record_row(asset.id))
        return
    columns = await app.rereads._renewal._records.seal(asset, (), None, "older", reader)
    await app.tables.commit(ASSETS, [Upsert(Row(partition, record_row(asset.id), columns))])


async def noted(app, asset, **columns):
    """Change columns of an asset's record."""
    row = Row(key(asset.tenant), record_row(asset.id), columns)
    await app.tables.commit(ASSETS, [Merge(row)])


async def record(app, asset):
    """The row of an asset's record."""
    return await app.tables.get(ASSETS, key(asset.tenant), record_row(asset.id))


async def texts(app, asset):
    """The texts in an asset's record, and the note."""
    opened = await app.rereads._renewal._records.open(asset.tenant, [await record(app, asset)])
    return {text.text for text in opened[0].texts}, opened[0].note


async def blobs(app, asset):
    """The blobs of an asset's records."""
    prefix = f"{asset.tenant}/{asset.id}."
    return [blob.name async for blob in app.blobs.scan("metadata", prefix)]


async def requested(app, tenant, selection=ALL):
    state, _, is_new = await app.rereads.request(tenant, selection, ADA, app.new_id())
    assert is_new
    return state.id


async def run(app, tenant, reread, *, most=1000):
    """Deliver the messages of a reread, one after the other; the reread after it."""
    for _ in range(most):
        state, _ = await app.rereads.find(tenant, reread)
        if state.status == "completed":
            break
        await app.rereads.advance(tenant, reread, state.batch)
    state, _ = await app.rereads.find(tenant, reread)
    return state


async def reread(app, tenant, selection=ALL):
    """Request a reread and deliver its messages; the reread after it."""
    return await run(app, tenant, await requested(app, tenant, selection))
