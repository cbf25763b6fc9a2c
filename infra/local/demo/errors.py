"""What ends the demo before its end."""


class DemoError(Exception):
    """A step did not do what it should; the message says which and what came instead."""
