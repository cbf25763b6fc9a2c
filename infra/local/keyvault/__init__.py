"""The Key Vault stand-in: the part of the secrets REST contract that the app needs, over TLS."""
