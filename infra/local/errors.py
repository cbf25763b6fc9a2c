"""What can go wrong with the local stack, said in one message a person can act on."""


class StackError(Exception):
    """The stack cannot start, or not go on; the message says why and what to do about it."""
