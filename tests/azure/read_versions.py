"""Print the versions of the secrets that are named, as the app's own adapter reads them."""

import asyncio
import json
import os
import sys

from shared.azure.secrets import KeyVaultSecrets
from shared.errors import UnavailableError


async def main() -> None:
    secrets = KeyVaultSecrets(os.environ["KEY_VAULT_URL"])
    read: dict[str, list[str] | str] = {}
    for name in sys.argv[1:]:
        try:
            read[name] = [version.value for version in await secrets.versions(name)]
        except UnavailableError as error:
            read[name] = error.service
    await secrets.close()
    print(json.dumps(read))  # noqa: T201 - what the test reads


asyncio.run(main())
