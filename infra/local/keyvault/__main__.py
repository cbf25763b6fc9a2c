"""`python -m infra.local.keyvault`: serve the Key Vault stand-in over TLS on loopback."""

import argparse
from pathlib import Path

import uvicorn

from infra.local.keyvault.app import create_app
from infra.local.keyvault.bearer import BearerTokens, resource_of
from infra.local.keyvault.operations import SecretOperations
from infra.local.keyvault.role_assignments import RoleAssignments
from infra.local.keyvault.store import SecretStore
from infra.local.loopback import loopback_address
from infra.local.ports import KEEP_ALIVE_SECONDS, LOOPBACK

DECLARED_SECRETS = Path(__file__).with_name("secrets.json")
ROLE_ASSIGNMENTS = Path(__file__).with_name("role_assignments.json")


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description="The Key Vault stand-in of the local stack.")
    parser.add_argument("--host", type=loopback_address, default=LOOPBACK)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--issuer", required=True, help="the token issuer's URL")
    parser.add_argument("--certificate", type=Path, required=True, help="PEM")
    parser.add_argument("--private-key", type=Path, required=True, help="PEM")
    parser.add_argument("--store", type=Path, required=True, help="where secrets are kept (JSON)")
    parser.add_argument("--secrets", type=Path, default=DECLARED_SECRETS, help="those to make")
    parser.add_argument("--access", type=Path, default=ROLE_ASSIGNMENTS, help="who may do what")
    options = parser.parse_args()
    access = RoleAssignments(options.access)
    store = SecretStore(options.store)
    store.seed(options.secrets)
    vault_url = f"https://{options.host}:{options.port}"
    tokens = BearerTokens(options.issuer, resource_of(vault_url))
    app = create_app(SecretOperations(store, vault_url), tokens, access)
    uvicorn.run(
        app,
        host=options.host,
        port=options.port,
        ssl_certfile=options.certificate,
        ssl_keyfile=options.private_key,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        # Clients keep their TLS connections open; the end must not wait for the clients to close.
        timeout_graceful_shutdown=1,
    )


if __name__ == "__main__":
    main()
