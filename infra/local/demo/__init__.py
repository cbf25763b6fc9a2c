"""The main job on real photos, told step by step: what `make demo` runs.

Everything is done as the users of the app do it: over HTTP, and with the unmodified Azure SDKs.
"""
