"""The incident of a tenant whose data key cannot be used."""

from shared.messages.contracts import IncidentOpened


def data_key_unusable(tenant: str) -> IncidentOpened:
    """Make the incident, the same for each thing that the key is missing for.

    Open the incident once a day.
    """
    return IncidentOpened(
        kind="data-key.unusable",
        severity="critical",
        summary="The tenant's data key is destroyed, disabled or wrong: uploads wait, and records"
        " of what files say cannot be opened.",
        resource=f"tenants/{tenant}",
        tenant=tenant,
    )
