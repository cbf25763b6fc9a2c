"""The documents in `docs/reference` that are made from the code, a module for each."""
