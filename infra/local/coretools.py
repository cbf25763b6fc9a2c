"""The environment in which Azure Functions Core Tools (`func start`) runs the app on the stack.

The settings are those of `local.settings.sample.json`. Two values are new with each stack and
cannot be checked in: the certificate authority of the vault, and the secret of the managed identity
endpoint.
"""

import json
from pathlib import Path

import certifi

from infra.local.errors import StackError

# Both name the trusted authorities. Python's ssl (and aiohttp) and .NET on Linux read the first
# variable, requests the second.
AUTHORITIES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
# Source: "How to use managed identities for App Service and Azure Functions", REST endpoint
# reference (learn.microsoft.com).
IDENTITY = ("IDENTITY_ENDPOINT", "IDENTITY_HEADER")


def environment(info_file: Path) -> dict[str, str]:
    """Return Core Tools' environment variables beside local.settings.json.

    Writes a file of authorities beside the stack's own. The file holds the public authorities too:
    Core Tools reads the same variable and downloads the extension bundle. Raises StackError when
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
