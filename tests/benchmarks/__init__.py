"""Benchmarks of the app and of the local stack; `make bench` runs every benchmark."""
