"""The adapters to Azure: the only code of the app that imports its SDKs."""
