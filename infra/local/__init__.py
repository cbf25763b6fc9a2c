"""The local stack: a process for each Azure service, reached through the same SDKs."""
