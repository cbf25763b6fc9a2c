"""Print the jobs of vaults as the app's own adapter reads them.

Arguments: two moments in ISO 8601, then the names of vaults. A vault that cannot be asked is
printed as the service that does not answer. LISTING_SECONDS is the adapter's patience.
"""

import asyncio
import json
import os
import sys
from datetime import datetime

from shared.azure import recovery
from shared.errors import UnavailableError


async def main() -> None:
    recovery._LISTING_SECONDS = float(os.environ.get("LISTING_SECONDS", "60"))
    vaults = recovery.AzureRecoveryVaults(
        os.environ["ARM_ENDPOINT"],
        os.environ["RECOVERY_SUBSCRIPTION_ID"],
        os.environ["RECOVERY_RESOURCE_GROUP"],
    )
    since, until = (datetime.fromisoformat(moment) for moment in sys.argv[1:3])

    async def read(vault: str) -> object:
        try:
            jobs = await vaults.backup_jobs(vault, since, until)
        except UnavailableError as error:
            return error.service
        return [
            [job.item, job.status, job.started.isoformat(), job.ended and job.ended.isoformat()]
            for job in jobs
        ]

    names = sys.argv[3:]
    read_all = await asyncio.gather(*(read(vault) for vault in names))
    await vaults.close()
    print(json.dumps(dict(zip(names, read_all, strict=True))))  # noqa: T201 - what the test reads


asyncio.run(main())
