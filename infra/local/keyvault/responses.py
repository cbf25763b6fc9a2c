"""What answers say: secrets with and without their values, deleted ones, and pages of them.

The Key Vault REST API reference: SecretBundle, SecretItem, DeletedSecretBundle, DeletedSecretItem
(learn.microsoft.com/rest/api/keyvault/secrets).
"""

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from infra.local.keyvault import requests
from infra.local.keyvault.store import RETENTION_DAYS, StoredSecret, StoredVersion

# Of the vault, not of a secret, though each secret's attributes say it.
RECOVERY = {"recoveryLevel": "Recoverable+Purgeable", "recoverableDays": RETENTION_DAYS}


def with_value(vault_url: str, secret: StoredSecret, version: StoredVersion) -> dict[str, Any]:
    """A version with its value."""
    return {"value": version["value"], **of_version(vault_url, secret, version)}


def of_version(vault_url: str, secret: StoredSecret, version: StoredVersion) -> dict[str, Any]:
    """A version without its value."""
    return _described(f"{vault_url}/secrets/{secret.name}/{version['version']}", version)


def of_secret(vault_url: str, secret: StoredSecret) -> dict[str, Any]:
    """A secret as listings of secrets show it: no value, and no version in its id."""
    return _described(f"{vault_url}/secrets/{secret.name}", secret.current)


def of_deleted(vault_url: str, secret: StoredSecret, *, with_version: bool) -> dict[str, Any]:
    """A deleted secret, with what tells how and until when it can be recovered."""
    return {
        **(of_version(vault_url, secret, secret.current) if with_version else {}),
        **({} if with_version else of_secret(vault_url, secret)),
        "recoveryId": f"{vault_url}/deletedsecrets/{secret.name}",
        "deletedDate": secret.deleted_at,
        "scheduledPurgeDate": secret.purge_at,
    }


def page(vault_url: str, request: Request, items: Mapping[str, dict[str, Any]]) -> Response:
    """The page that the request asks for of `items`, which are in the order of their markers."""
    size, after = requests.page(request)
    markers = [marker for marker in items if marker.lower() > after]
    link = None
    if len(markers) > size:
        query = {
            "api-version": request.query_params["api-version"],
            "$skiptoken": requests.skip_token(markers[size - 1].lower()),
            "maxresults": size,
        }
        link = f"{vault_url}{request.url.path}?{urlencode(query)}"
    return JSONResponse({"value": [items[each] for each in markers[:size]], "nextLink": link})


def base64url(value: bytes) -> str:
    """Bytes as the REST API writes them: base64url without padding (RFC 7515, appendix C)."""
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _described(identifier: str, version: StoredVersion) -> dict[str, Any]:
    described = {key: version[key] for key in version.keys() - {"version", "value"}}
    return {"id": identifier, **described, "attributes": version["attributes"] | RECOVERY}
