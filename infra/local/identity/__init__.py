"""The token issuer, which stands where Entra ID and App Service's managed identity stand."""
