"""What Azure Functions Core Tools (`func start`) needs to run the app on the stack.

The settings are those of `local.settings.sample.json`. What is made anew with each stack cannot
stand in a file that is checked in: the certificate authority of the vault, and the secret of the
managed identity endpoint.
"""

import json
from pathlib import Path

import certifi

from infra.local.errors import StackError

# Both name the authorities to trust: Python's ssl (so aiohttp) and .NET on Linux read the first,
# requests the second.
AUTHORITIES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
# Source: "How to use managed identities for App Service and Azure Functions", REST endpoint
# reference (learn.microsoft.com).
IDENTITY = ("IDENTITY_ENDPOINT", "IDENTITY_HEADER")


def environment(info_file: Path) -> dict[str, str]:
    """The environment variables to start Core Tools with, beside local.settings.json.

    Writes the file of authorities beside that of the stack's own. It has the public ones too, as
    Core Tools downloads the extension bundle and reads the same variable. Raises StackError when
    the stack that `info_file` describes does not run.
    """
    try:
        info = json.loads(info_file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StackError("The stack does not run. Start it first: make services") from error
    authority = Path(info["ca_file"])
    trusted = authority.with_name("trusted.pem")
    public = Path(certifi.where()).read_text(encoding="ascii")
    trusted.write_text(f"{public}\n{authority.read_text(encoding='ascii')}", encoding="ascii")
    given = {name: str(info["settings"][name]) for name in IDENTITY}
    return given | dict.fromkeys(AUTHORITIES, str(trusted))
