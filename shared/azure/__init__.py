"""The adapters to Azure: no other code of the app imports Azure's SDKs."""
