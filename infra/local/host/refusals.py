"""What the host refuses at start: one clear line for each thing that is wrong."""


class RefusedError(Exception):
    """The app or its settings ask for something this host does not do, or does not have.

    ``lines`` holds every reason, each naming the function, property or setting at fault.
    """

    def __init__(self, *lines: str) -> None:
        super().__init__("; ".join(lines))
        self.lines = lines
