"""The error that ends a command without an answer."""


class CommandError(Exception):
    """The command could not do its work. The text is one line that says why."""
