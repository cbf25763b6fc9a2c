"""`python -m infra.local.recovery`: serve the Recovery Services stand-in over TLS on loopback."""

from pathlib import Path

from infra.local.keyvault.bearer import BearerTokens
from infra.local.recovery.app import BackupJobs, create_app
from infra.local.recovery.scenario import ScenarioFile
from infra.local.tls_server import serve, server_options


def main() -> None:
    """Serve until told to end."""
    parser = server_options("The Recovery Services stand-in.")
    parser.add_argument("--subscription", required=True, help="the id of the subscription")
    parser.add_argument("--resource-group", required=True, help="the group of the vaults")
    parser.add_argument("--scenario", type=Path, required=True, help="the vaults' jobs (JSON)")
    options = parser.parse_args()
    endpoint = f"https://{options.host}:{options.port}"
    jobs = BackupJobs(
        endpoint, options.subscription, options.resource_group, ScenarioFile(options.scenario)
    )
    serve(create_app(jobs, BearerTokens(options.issuer, endpoint)), options)


if __name__ == "__main__":
    main()
