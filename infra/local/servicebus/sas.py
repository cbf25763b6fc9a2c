"""Shared access signatures, checked against the one key of the local broker.

Source: "Service Bus access control with Shared Access Signatures". The name and value of the key
are documented for Microsoft's emulator ("Overview of the Azure Service Bus emulator").
"""

import base64
import hashlib
import hmac
import re
from urllib.parse import parse_qsl, unquote_plus

KEY_NAME = "RootManageSharedAccessKey"
KEY = "SAS_KEY_VALUE"  # Public: the documentation of Microsoft's emulator has this value.
_SCHEME = "SharedAccessSignature "


class UnauthorizedError(Exception):
    """The token has expired, or the local key did not sign the token for this audience."""


def connection_string(port: int) -> str:
    """The connection string of a client of the broker on this port."""
    return (
        f"Endpoint=sb://127.0.0.1:{port};SharedAccessKeyName={KEY_NAME};SharedAccessKey={KEY};"
        "UseDevelopmentEmulator=true;"
    )


def verify(token: str, audience: str, now: float) -> None:
    """Check a token for an audience (a URI). Raises `UnauthorizedError` with the reason."""
    if not token.startswith(_SCHEME):
        raise UnauthorizedError("The token is not a SharedAccessSignature.")
    raw = dict(part.split("=", 1) for part in token.removeprefix(_SCHEME).split("&") if "=" in part)
    fields = dict(parse_qsl(token.removeprefix(_SCHEME)))
    if missing := {"sr", "sig", "se", "skn"} - (fields.keys() & raw.keys()):
        raise UnauthorizedError(f"The token lacks {', '.join(sorted(missing))}.")
    if fields["skn"] != KEY_NAME:
        raise UnauthorizedError(f"The token names the unknown key {fields['skn']!r}.")
    signed = f"{raw['sr']}\n{raw['se']}".encode()
    expected = hmac.new(KEY.encode(), signed, hashlib.sha256).digest()
    try:
        given = base64.b64decode(fields["sig"].replace(" ", "+"), validate=True)
    except ValueError:  # Not base64, or not ASCII.
        given = b""
    if not hmac.compare_digest(expected, given):
        raise UnauthorizedError("The token has an invalid signature.")
    if not re.fullmatch("[0-9]{1,18}", fields["se"]) or int(fields["se"]) <= now:
        raise UnauthorizedError("The token has expired.")
    resource, wanted = unquote_plus(raw["sr"]).lower(), audience.lower()
    if wanted != resource and not wanted.startswith(resource.rstrip("/") + "/"):
        raise UnauthorizedError(f"The token is for {resource!r}, not for {wanted!r}.")
