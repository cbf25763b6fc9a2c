"""The Key Vault stand-in: the secrets of one vault, over TLS, for those whose role allows it.

`secrets.json` declares the secrets to make, `access.json` who has which role. Left out: keys and
certificates (refused by name), POST in place of other methods (`X-HTTP-METHOD`), throttling,
network rules, and changes of roles while it runs.
"""
