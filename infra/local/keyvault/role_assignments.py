"""Authorisation: the vault's role assignments, and the data actions of each built-in role.

"Provide access to Key Vault keys, certificates, and secrets with Azure role-based access control"
and "Azure built-in roles for Security" (learn.microsoft.com).
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path

from infra.local.keyvault.errors import VaultError


class DataAction(StrEnum):
    """The data actions on secrets ("Azure permissions for Security", Microsoft.KeyVault)."""

    GET = "Microsoft.KeyVault/vaults/secrets/getSecret/action"
    READ_METADATA = "Microsoft.KeyVault/vaults/secrets/readMetadata/action"
    SET = "Microsoft.KeyVault/vaults/secrets/setSecret/action"
    UPDATE = "Microsoft.KeyVault/vaults/secrets/update/action"
    DELETE = "Microsoft.KeyVault/vaults/secrets/delete"
    RECOVER = "Microsoft.KeyVault/vaults/secrets/recover/action"
    PURGE = "Microsoft.KeyVault/vaults/secrets/purge/action"
    BACKUP = "Microsoft.KeyVault/vaults/secrets/backup/action"
    RESTORE = "Microsoft.KeyVault/vaults/secrets/restore/action"


# The data actions of the roles, as far as the actions touch secrets.
ROLES: Mapping[str, tuple[str, ...]] = {
    "Key Vault Administrator": ("Microsoft.KeyVault/vaults/*",),
    "Key Vault Reader": ("Microsoft.KeyVault/vaults/*/read", DataAction.READ_METADATA),
    "Key Vault Secrets Officer": ("Microsoft.KeyVault/vaults/secrets/*",),
    "Key Vault Secrets User": (DataAction.GET, DataAction.READ_METADATA),
}


class RoleAssignments:
    """The role assignments of this vault, read once from a JSON file.

    The file is a list of `{"principal": <object id>, "role": <name of a built-in role>}`. Raises
    ValueError for a role that is not in `ROLES`.
    """

    def __init__(self, assignments: Path) -> None:
        self._actions: dict[str, list[str]] = {}
        for assigned in json.loads(assignments.read_text()):
            role = assigned["role"]
            if role not in ROLES:
                message = f"{assignments}: {role!r} is none of {', '.join(sorted(ROLES))}."
                raise ValueError(message)
            self._actions.setdefault(assigned["principal"], []).extend(ROLES[role])

    def check(self, principal: str, issuer: str, action: DataAction, resource: str) -> None:
        """Raise VaultError, with the service's text, when the caller's roles lack the action."""
        if any(fnmatchcase(action, allowed) for allowed in self._actions.get(principal, ())):
            return
        message = (
            "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny"
            " assignments or role definitions were changed recently, please observe propagation"
            f" time.\r\nCaller: appid={principal};oid={principal};iss={issuer}\r\n"
            f"Action: '{action}'\r\nResource: '{resource}'\r\nAssignment: (not found)\r\n"
            "DenyAssignmentId: null\r\nDecisionReason: 'DeniedWithNoValidRBAC'\r\n"
        )
        raise VaultError(403, "Forbidden", message, "ForbiddenByRbac")
