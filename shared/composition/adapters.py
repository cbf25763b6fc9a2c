"""The adapters to Azure, each built on first request."""

from functools import cached_property

from shared.ports import Blobs, Bus, DataKeys, RecoveryVaults, Secrets, Tables
from shared.settings import Settings


class Adapters:
    """The adapters of one process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def tables(self) -> Tables:
        """Table Storage."""
        from shared.azure.tables import AzureTables
        from shared.catalogue import require_table

        return AzureTables(self._settings.DAM_STORAGE, allow=require_table)

    @cached_property
    def blobs(self) -> Blobs:
        """Blob Storage."""
        from shared.azure.blobs import AzureBlobs
        from shared.catalogue import require_container

        return AzureBlobs(self._settings.DAM_STORAGE, allow=require_container)

    @cached_property
    def bus(self) -> Bus:
        """Service Bus."""
        from shared.azure.bus import AzureBus
        from shared.catalogue import PARKED_MESSAGES_QUEUE, require_queue

        return AzureBus(
            self._settings.SERVICE_BUS,
            ping_queue=PARKED_MESSAGES_QUEUE.name,
            allow=require_queue,
        )

    @cached_property
    def secrets(self) -> Secrets:
        """The secrets of Key Vault."""
        from shared.azure.secrets import KeyVaultSecrets

        return KeyVaultSecrets(self._settings.KEY_VAULT_URL)

    @cached_property
    def data_keys(self) -> DataKeys:
        """The data keys of the tenants."""
        from shared.azure.data_keys import KeyVaultDataKeys

        return KeyVaultDataKeys(self._settings.DATA_KEY_VAULT_URL)

    @cached_property
    def recovery_vaults(self) -> RecoveryVaults:
        """The Recovery Services vaults."""
        from shared.azure.recovery import AzureRecoveryVaults

        return AzureRecoveryVaults(
            self._settings.ARM_ENDPOINT,
            self._settings.RECOVERY_SUBSCRIPTION_ID,
            self._settings.RECOVERY_RESOURCE_GROUP,
        )
