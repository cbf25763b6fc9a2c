"""The main job on real photos, told step by step: the program behind `make demo`.

The demo works as users do: over HTTP, and with the unmodified Azure SDKs.
"""
