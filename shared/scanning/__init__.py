"""Scanning: the engines that look for malware, and the file formats that scanning must know."""
