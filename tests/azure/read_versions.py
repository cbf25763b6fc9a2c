"""Print the versions of the secrets that are named, as the app's own adapter reads them."""

import asyncio
import json
import os
import sys

from shared.azure.secrets import KeyVaultSecrets
from shared.errors import UnavailableError


async def main() -> None:
    secrets = KeyVaultSecrets(os.environ["KEY_VAULT_URL"])
    read: dict[str, object] = {}
    for name in sys.argv[1:]:
        try:
            live = [version.value for version in await secrets.versions(name)]
            disabled = {
                version: at.isoformat() for version, at in (await secrets.disabled(name)).items()
            }
            read[name] = {"live": live, "disabled": disabled}
        except UnavailableError as error:
            read[name] = error.service
    await secrets.close()
    print(json.dumps(read))  # noqa: T201 - what the test reads


asyncio.run(main())
