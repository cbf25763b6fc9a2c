"""The Key Vault stand-in: the secrets of one vault, over TLS, by the caller's role.

`secrets.json` declares the secrets to make, `role_assignments.json` the role of each principal.
Left out: keys and certificates (refused by name), POST in place of a different method
(`X-HTTP-METHOD`), throttling, network rules, and changes of roles while the stand-in runs.
"""
