"""After a run no file of the stack has a person's name: tables, queues, blobs and logs.

The stack keeps everything on disk. Only the bytes of the uploaded files have the name, and no blob
has the name after the erasure.
"""

import re

from azure.storage.blob.aio import BlobServiceClient

from infra.local.stack import Stack
from tests.journeys.portal import Portal, eventually
from tests.metadata.test_picture_texts import jpeg
from tests.rereads.steps import many

# Families and given names that no other test, program or log has.
NAMES = ("Quirina", "Oyelaran", "Zoë Ümlautová")
PERSON = "Quirina Oyelaran"
WORDS = ("Quirina", "Oyelaran", "mlautov")
CODES = ("utf-8", "utf-16-le", "utf-16-be", "cp1252")
# The queues, the tables, and the logs of the host and of the queues.
LOOKED_AT = {"messages.db", "__azurite_db_table__.json", "host.log", "servicebus.log"}
# Azurite's files with the bytes of blobs.
BYTES_OF_BLOBS = "__blobstorage__"


def forms(word):
    """The bytes in which a word may stand in a file, in small letters and in capitals."""
    spelt = {word, word.lower(), word.upper()}
    encoded = {one.encode(code) for one in spelt for code in CODES}
    return re.compile(b"|".join(re.escape(one) for one in sorted(encoded)))


def naming(directory):
    """The files of the stack, by their paths, that have one of the names."""
    patterns = [forms(word) for word in WORDS]
    found = set()
    for file in directory.rglob("*"):
        if file.is_file():
            data = file.read_bytes()
            if any(pattern.search(data) for pattern in patterns):
                found.add(str(file.relative_to(directory)))
    return found


def searched(directory):
    """The names of the files that the search looks at."""
    return {file.name for file in directory.rglob("*") if file.is_file()}


async def blobs_naming(stack):
    """The blobs, in every container, that have one of the names."""
    patterns = [forms(word) for word in WORDS]
    found = set()
    storage = stack.info["connection_strings"]["storage"]
    async with BlobServiceClient.from_connection_string(storage) as service:
        async for container in service.list_containers():
            client = service.get_container_client(container.name)
            async for blob in client.list_blobs(include=["metadata", "tags"]):
                reading = await client.download_blob(blob.name)
                data = await reading.readall() + repr(blob).encode()
                if any(pattern.search(data) for pattern in patterns):
                    found.add(container.name)
    return found


async def reached(portal, path, status):
    return await eventually(
        lambda: portal.mine("GET", path), lambda answer: answer.json()["status"] == status
    )


async def test_no_file_of_the_stack_has_a_name_beside_the_uploads(tmp_path):
    with Stack(tmp_path) as stack:
        async with Portal(stack, "names-on-disk") as portal:
            tenant = f"tenant-{portal.tenant}"
            files = {
                "a.jpg": jpeg((0xFE, f"{PERSON} opens the fair".encode())),
                "b.jpg": jpeg((0xFE, f"{NAMES[2]} with Oyelaran, Quirina".encode())),
                # Two records that are too large for a row.
                "c.xmp": many(PERSON),
                "d.xmp": many(*NAMES),
                "e.txt": b"From: Quirina Oyelaran <q.oyelaran@example.org>\nSubject: x\n\nHello",
            }
            for path, data in files.items():
                await portal.upload(path, data)
            await eventually(portal.assets, lambda assets: len(assets) == len(files))
            body = {"identifiers": [PERSON, "q.oyelaran@example.org", NAMES[2]]}
            answer = await portal.mine("POST", "erasure-requests", body=body)
            assert answer.status_code == 202, answer.text
            path = f"erasure-requests/{answer.json()['id']}"
            seen = await reached(portal, path, "awaiting-approval")
            shown = await portal.mine("GET", f"{path}/finds", params={"certainty": "named"})
            assert PERSON in shown.text
            reread = await portal.mine("POST", "rereads", who="ada", body={})
            await eventually(
                lambda: portal.mine("GET", f"rereads/{reread.json()['id']}", who="ada"),
                lambda answer: answer.json()["status"] == "completed",
            )
            refused = await portal.mine(
                "POST", "erasure-requests", body={"identifiers": [PERSON, "!"]}
            )
            assert refused.status_code == 422

            found = naming(tmp_path)
            assert found
            assert all(BYTES_OF_BLOBS in place for place in found), found
            assert await blobs_naming(stack) == {tenant}
            assert searched(tmp_path) >= LOOKED_AT

            headers = {"If-Match": seen.headers["ETag"]}
            answer = await portal.mine("PUT", f"{path}/approval", who="noor", headers=headers)
            assert answer.status_code == 200, answer.text
            done = (await reached(portal, path, "completed")).json()
            assert done["assets"] == len(files), done
            assert await blobs_naming(stack) == set()
            assert all(BYTES_OF_BLOBS in place for place in naming(tmp_path))
