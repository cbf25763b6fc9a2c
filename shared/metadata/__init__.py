"""Metadata: what a file says of people and documents, read within limits of memory and time."""
