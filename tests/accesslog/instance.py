"""Another instance of the app, with the stack's settings: does one thing to the log of a tenant.

python -m tests.accesslog.instance publish TENANT    prints the signed checkpoint
python -m tests.accesslog.instance look TENANT       prints what the integrity watch finds, as JSON
"""

import asyncio
import json
import os
import sys

from shared.settings import read_settings
from tests.compositions import App


async def main(command: str, tenant: str) -> None:
    app = App(read_settings(os.environ))
    if command == "publish":
        sys.stdout.write((await app.checkpoints.publish(tenant)).note)
    else:
        findings = await app.log_watch.verify(tenant)
        json.dump([[one.kind, one.first, one.end] for one in findings], sys.stdout)
    await app.close()


asyncio.run(main(*sys.argv[1:]))
