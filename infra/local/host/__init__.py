"""The local Azure Functions host: the triggers, around Microsoft's own Python runtime.

Azure runs the library ``azure-functions-runtime`` inside the Python 3.13 worker. The library
imports the app, checks the app's bindings and runs the app's functions. This package stands in for
the Functions host, which owns the triggers. The package knows nothing about any particular app.
"""
