"""Benchmarks of the app and of its local stack; `make bench` runs them all."""
