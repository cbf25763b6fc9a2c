"""Archives that cannot be looked into."""


class RefusedArchiveError(Exception):
    """An archive that cannot be looked into wholly, and so cannot be cleared.

    `reason` is "archive-broken", "archive-encrypted", "archive-too-deep", "archive-too-large" or
    "archive-unsupported".
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
