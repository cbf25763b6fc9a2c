"""Mutants of the rules: each decision changed a little, for the rules' own tests to find."""
