"""The local Azure Functions host: the triggers, around Microsoft's own Python runtime.

``azure-functions-runtime`` is the library that Azure runs inside its Python 3.13 worker: it
imports the app, checks its bindings and runs its functions. This package stands in for the other
half, the host, which owns the triggers. It knows nothing about the app that it serves.
"""
