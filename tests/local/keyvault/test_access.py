"""Permissions of callers, and the challenge that tells a client where to get a token.

"Provide access to Key Vault keys, certificates, and secrets with Azure role-based access control",
"Azure built-in roles for Security", "Azure Key Vault REST API error codes", "Authentication,
requests, and responses" (learn.microsoft.com).
"""

import json
from pathlib import Path

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ServiceRequestError
from azure.keyvault.secrets import ApiVersion

from infra.local.keyvault.role_assignments import RoleAssignments
from infra.local.stack import Stack
from tests.local.keyvault.clients import Secrets, refusal
from tests.local.keyvault.conftest import Clients

METADATA = {
    "list_properties_of_secrets",
    "list_properties_of_secret_versions",
    "get_deleted_secret",
    "list_deleted_secrets",
}
ON_DELETED = {"get_deleted_secret", "recover", "purge_deleted_secret"}
# Each operation with its data action, without the prefix "Microsoft.KeyVault/vaults/secrets/".
OPERATIONS = {
    "set_secret": "setSecret/action",
    "get_secret": "getSecret/action",
    "update_secret_properties": "update/action",
    "list_properties_of_secrets": "readMetadata/action",
    "list_properties_of_secret_versions": "readMetadata/action",
    "delete": "delete",
    "get_deleted_secret": "readMetadata/action",
    "list_deleted_secrets": "readMetadata/action",
    "recover": "recover/action",
    "purge_deleted_secret": "purge/action",
    "backup_secret": "backup/action",
    "restore_secret_backup": "restore/action",
}


async def attempt(officer: Secrets, client: Secrets, operation: str, name: str) -> None:
    """Let `officer` prepare a secret, then let `client` carry out the operation."""
    await officer.call("set_secret", name, "one")
    backup = await officer.call("backup_secret", name)
    if operation in ON_DELETED:
        await officer.delete(name)
    match operation:
        case "list_properties_of_secrets" | "list_deleted_secrets":
            await client.listed(operation)
        case "list_properties_of_secret_versions":
            await client.listed(operation, name)
        case "delete":
            await client.delete(name)
        case "recover":
            await client.recover(name)
        case "set_secret":
            await client.call(operation, name, "two")
        case "restore_secret_backup":
            await officer.delete(name)
            await officer.call("purge_deleted_secret", name)
            await client.call(operation, backup)
        case _:
            await client.call(operation, name)


@pytest.mark.parametrize(
    ("principal", "allowed"),
    [
        ("secrets-officer", set(OPERATIONS)),
        ("vouchsafe-app", METADATA | {"get_secret"}),
        ("secrets-user", METADATA | {"get_secret"}),
        ("vault-reader", METADATA),
        ("nobody", set()),
    ],
)
async def test_a_role_allows_what_its_definition_says(
    clients: Clients, kind: str, principal: str, allowed: set[str]
) -> None:
    officer, client = clients(), clients(principal)
    for operation, action in OPERATIONS.items():
        name = f"{principal}-{operation.replace('_', '-')}-{kind}"
        if operation in allowed:
            await attempt(officer, client, operation, name)
            continue
        with pytest.raises(HttpResponseError, match="not authorized") as refused:
            await attempt(officer, client, operation, name)
        assert refusal(refused.value) == (403, "Forbidden", "ForbiddenByRbac")
        assert f"oid={principal};" in refused.value.message
        assert f"'Microsoft.KeyVault/vaults/secrets/{action}'" in refused.value.message


def test_an_assignment_of_an_unknown_role_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "access.json"
    path.write_text(json.dumps([{"principal": "ada", "role": "Key Vault Purge Operator"}]))
    with pytest.raises(ValueError, match="'Key Vault Purge Operator' is none of"):
        RoleAssignments(path)


async def test_the_sdk_sends_no_token_where_the_challenges_resource_does_not_match(
    clients: Clients, vault: Stack
) -> None:
    """Guidance for applications using the Key Vault libraries: the client's check is on."""
    elsewhere = clients(vault_url=f"https://localhost:{vault.ports.key_vault}")
    with pytest.raises(ValueError, match="does not match the requested domain"):
        await elsewhere.call("get_secret", "log-event-hmac")


async def test_a_token_for_another_resource_is_refused(clients: Clients) -> None:
    """REST API error codes: the token lacks the correct resource associated with it."""
    client = clients(resource="https://vault.azure.net/.default")
    with pytest.raises(ClientAuthenticationError) as refused:
        await client.call("get_secret", "log-event-hmac")
    assert refusal(refused.value) == (401, "Unauthorized", None)


async def test_a_client_that_does_not_trust_the_authority_sends_nothing(clients: Clients) -> None:
    with pytest.raises(ServiceRequestError, match=r"(?i)certificate"):
        await clients(connection_verify=True, retry_total=0).call("get_secret", "x")


@pytest.mark.parametrize("version", [each.value for each in ApiVersion])
async def test_every_version_of_the_api_that_the_sdk_knows_is_served(
    clients: Clients, kind: str, version: str
) -> None:
    client = clients(api_version=version)
    name = f"api-{version.replace('.', '-')}-{kind}"
    await client.call("set_secret", name, "one")
    assert (await client.call("get_secret", name)).value == "one"


async def test_a_version_of_the_api_that_is_not_known_is_refused(clients: Clients) -> None:
    """Supported API versions: a client must specify a version; the API has no default."""
    with pytest.raises(HttpResponseError, match=r"\(7\.99\) is not recognized") as refused:
        await clients(api_version="7.99").call("get_secret", "x")
    assert refusal(refused.value) == (400, "BadParameter", None)


def logs(stack: Stack) -> list[str]:
    return [Path(each["log"]).read_text() for each in stack.info["processes"].values()]


async def test_neither_values_nor_tokens_are_logged(
    clients: Clients, vault: Stack, name: str
) -> None:
    client = clients()
    await client.call("set_secret", name, "a-very-private-value", tags={"t": "a-private-tag"})
    await client.call("get_secret", name)
    with pytest.raises(HttpResponseError):
        await client.call("restore_secret_backup", b"a-very-private-value")
    for log in logs(vault):
        assert "Uvicorn running" in log
        assert "private" not in log
        assert "eyJ" not in log
