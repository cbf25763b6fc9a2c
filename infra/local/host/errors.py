"""The error that ends the host's start: one clear line for each fault."""


class StartupError(Exception):
    """The app or a setting needs a feature or a value that this host does not have.

    ``lines`` holds every reason. Each line names the function, property or setting at fault.
    """

    def __init__(self, *lines: str) -> None:
        super().__init__("; ".join(lines))
        self.lines = lines
