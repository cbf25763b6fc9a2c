"""Storage: the rows of a log in tables, and the append and the reading of entries."""
