"""Storage: how a log lies in tables, and how entries are appended and read back."""
