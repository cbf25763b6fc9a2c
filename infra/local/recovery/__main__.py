"""`python -m infra.local.recovery`: serve the Recovery Services stand-in over TLS on loopback."""

import argparse
from pathlib import Path

import uvicorn

from infra.local.keyvault.bearer import BearerTokens
from infra.local.loopback import loopback_address
from infra.local.ports import KEEP_ALIVE_SECONDS, LOOPBACK
from infra.local.recovery.app import BackupJobs, create_app
from infra.local.recovery.scenario import ScenarioFile


def main() -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser(description="The Recovery Services stand-in.")
    parser.add_argument("--host", type=loopback_address, default=LOOPBACK)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--issuer", required=True, help="the token issuer's URL")
    parser.add_argument("--certificate", type=Path, required=True, help="PEM")
    parser.add_argument("--private-key", type=Path, required=True, help="PEM")
    parser.add_argument("--subscription", required=True, help="the id of the subscription")
    parser.add_argument("--resource-group", required=True, help="the group of the vaults")
    parser.add_argument("--scenario", type=Path, required=True, help="the vaults' jobs (JSON)")
    options = parser.parse_args()
    endpoint = f"https://{options.host}:{options.port}"
    jobs = BackupJobs(
        endpoint, options.subscription, options.resource_group, ScenarioFile(options.scenario)
    )
    uvicorn.run(
        create_app(jobs, BearerTokens(options.issuer, endpoint)),
        host=options.host,
        port=options.port,
        ssl_certfile=options.certificate,
        ssl_keyfile=options.private_key,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        # Clients keep their TLS connections open; ending must not wait for them to hang up.
        timeout_graceful_shutdown=1,
    )


if __name__ == "__main__":
    main()
