"""Metadata: the people and documents named in a file, read within limits of memory and time."""
