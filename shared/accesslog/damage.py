"""What is raised when the rows of a log contradict each other."""


class LogDamagedError(Exception):
    """A tenant's log was changed past this application: `LogStore.audit` tells what and where.

    Nothing is appended to such a log, as that would cover up the damage. `index` is about where.
    """

    def __init__(self, index: int) -> None:
        super().__init__(f"the log is damaged near entry {index}")
        self.index = index
