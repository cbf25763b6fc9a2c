"""The error of the local stack, in one message that a person can act on."""


class StackError(Exception):
    """The stack cannot start or continue. The message names the cause and the remedy."""
