"""Integrity: the audit of a log, its findings, and the watch over every log."""
