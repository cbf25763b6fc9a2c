"""The Key Vault stand-in: the secrets of a vault, over TLS; no keys, no certificates."""
