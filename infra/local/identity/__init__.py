"""The token issuer, which stands where Entra ID and App Service's managed identity stand.

`curl -X POST <issuer>/discovery/keys/rotate` changes its key; `?overlap=0` withdraws the old one
at once. Left out: sign-in by a person, client authentication, user-assigned identities.
"""
