"""Scanning: the engines that look for malware, and what they need to know of a file's format."""
