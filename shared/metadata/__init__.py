"""Metadata: the texts of a file and their fields, read within limits of memory and time."""
