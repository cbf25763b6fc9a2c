"""The signature of a webhook. Pure.

Source: Standard Webhooks, "Signature scheme" (github.com/standard-webhooks/standard-webhooks).
"""

import base64
import hmac
from collections.abc import Mapping
from datetime import datetime

_PREFIX = "whsec_"


def signed_headers(secret: str, identifier: str, at: datetime, body: bytes) -> Mapping[str, str]:
    """Return the headers of a message: id, time in seconds since 1970, and HMAC-SHA-256.

    `secret` is base64 behind `whsec_`. `identifier` has no full stop, which separates what is
    signed.
    """
    timestamp = str(int(at.timestamp()))
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    content = f"{identifier}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.digest(key, content, "sha256")).decode()
    return {
        "webhook-id": identifier,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{signature}",
    }
