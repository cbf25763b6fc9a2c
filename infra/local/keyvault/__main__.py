"""`python -m infra.local.keyvault`: serve the Key Vault stand-in over TLS on loopback."""

from pathlib import Path

from infra.local.keyvault.app import create_app
from infra.local.keyvault.bearer import BearerTokens, resource_of
from infra.local.keyvault.operations import SecretOperations
from infra.local.keyvault.role_assignments import RoleAssignments
from infra.local.keyvault.store import SecretStore
from infra.local.tls_server import serve, server_options

ROLE_ASSIGNMENTS = Path(__file__).with_name("role_assignments.json")


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = server_options("The Key Vault stand-in of the local stack.")
    parser.add_argument("--store", type=Path, required=True, help="where secrets are kept (JSON)")
    parser.add_argument("--secrets", type=Path, help="the secrets to make (JSON)")
    parser.add_argument("--access", type=Path, default=ROLE_ASSIGNMENTS, help="who may do what")
    options = parser.parse_args()
    access = RoleAssignments(options.access)
    store = SecretStore(options.store)
    if options.secrets is not None:
        store.seed(options.secrets)
    vault_url = f"https://{options.host}:{options.port}"
    tokens = BearerTokens(options.issuer, resource_of(vault_url))
    serve(create_app(SecretOperations(store, vault_url), tokens, access), options)


if __name__ == "__main__":
    main()
