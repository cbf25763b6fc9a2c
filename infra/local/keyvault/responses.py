"""Responses: secrets with and without values, deleted secrets, and pages of secrets.

The Key Vault REST API reference: SecretBundle, SecretItem, DeletedSecretBundle, DeletedSecretItem
(learn.microsoft.com/rest/api/keyvault/secrets).
"""

import base64
from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from infra.local.keyvault import requests
from infra.local.keyvault.store import RETENTION_DAYS, StoredSecret, StoredVersion

# Properties of the vault, repeated in the attributes of each secret.
RECOVERY = {"recoveryLevel": "Recoverable+Purgeable", "recoverableDays": RETENTION_DAYS}


def with_value(vault_url: str, secret: StoredSecret, version: StoredVersion) -> dict[str, object]:
    """Describe a version with its value."""
    return {"value": version["value"], **of_version(vault_url, secret, version)}


def of_version(vault_url: str, secret: StoredSecret, version: StoredVersion) -> dict[str, object]:
    """Describe a version without its value."""
    return _described(f"{vault_url}/secrets/{secret.name}/{version['version']}", version)


def of_secret(vault_url: str, secret: StoredSecret) -> dict[str, object]:
    """Describe a secret for a listing of secrets: no value, and no version in the id."""
    return _described(f"{vault_url}/secrets/{secret.name}", secret.current)


def of_deleted(vault_url: str, secret: StoredSecret, *, with_version: bool) -> dict[str, object]:
    """Describe a deleted secret, with its recovery id and the date of its purge."""
    return {
        **(of_version(vault_url, secret, secret.current) if with_version else {}),
        **({} if with_version else of_secret(vault_url, secret)),
        "recoveryId": f"{vault_url}/deletedsecrets/{secret.name}",
        "deletedDate": secret.deleted_at,
        "scheduledPurgeDate": secret.purge_at,
    }


def page(vault_url: str, request: Request, items: Mapping[str, dict[str, object]]) -> Response:
    """Return the requested page of `items`, which are in the order of their markers."""
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
    """Encode bytes as base64url without padding (RFC 7515, appendix C), as the REST API does."""
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _described(identifier: str, version: StoredVersion) -> dict[str, object]:
    described = {key: value for key, value in version.items() if key not in ("version", "value")}
    return {"id": identifier, **described, "attributes": version["attributes"] | RECOVERY}
