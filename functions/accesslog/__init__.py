"""The access log: entries, proofs and upkeep."""
