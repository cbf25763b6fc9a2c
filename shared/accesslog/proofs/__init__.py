"""Proofs: checkpoints, keys, witnesses, and proofs of inclusion and consistency."""
