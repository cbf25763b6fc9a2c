"""Metadata: the people and documents that a file names, read within limits of memory and time."""
