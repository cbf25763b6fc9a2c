"""The token issuer, in place of Entra ID and of App Service's managed identity.

`curl -X POST <issuer>/discovery/keys/rotate` changes the signing key; `?overlap=0` withdraws the
old key at once. Left out: sign-in by a person, client authentication, user-assigned identities.
"""
