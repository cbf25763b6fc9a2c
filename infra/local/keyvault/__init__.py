"""The Key Vault stand-in: the secrets of one vault, over TLS, by the caller's role.

The stack starts two vaults. `secrets.json` declares the secrets to make in the first vault, and
`role_assignments.json` the role of each principal there. The second vault begins empty, and has
`data_key_role_assignments.json`.
Left out: keys and certificates (refused by name), POST in place of a different method
(`X-HTTP-METHOD`), throttling, network rules, and changes of roles while the stand-in runs.
"""
