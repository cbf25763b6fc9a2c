"""What ends a command without an answer."""


class CommandError(Exception):
    """The command could not do what it was asked. The text is one line that says why."""
