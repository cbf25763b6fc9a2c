"""The receiver of webhooks: checks the signature of each message, and shows what arrived."""
