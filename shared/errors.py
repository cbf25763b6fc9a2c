"""The errors that Vouchsafe answers with.

Each error has a stable `code`. `functions.edge.problems` turns the error into an RFC 9457 problem,
and `functions.edge.queues` into the reason of a parked message; no other code catches the errors.
"""

import traceback
from typing import ClassVar, Literal

type DataKeyFault = Literal["destroyed", "disabled", "not-in-force", "malformed"]

_LONGEST_DETAIL = 1000


class RefusalError(Exception):
    """A request or message that can never succeed unchanged.

    `code` is stable and becomes the problem type; `detail` names the fault and `remedy` the way
    out. Neither may carry a person's name, an e-mail address, a token or content.
    """

    status: ClassVar[int] = 400

    def __init__(self, code: str, detail: str, remedy: str) -> None:
        # A detail may repeat a name of the input, which may be as long as the input.
        detail = detail if len(detail) <= _LONGEST_DETAIL else detail[:_LONGEST_DETAIL] + "…"
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.remedy = remedy

    @property
    def title(self) -> str:
        """The code as a short sentence, the same for every occurrence (RFC 9457 section 3.1.3)."""
        return self.code.replace("-", " ").capitalize()


class InvalidInputError(RefusalError):
    """Well-formed but unacceptable input."""

    status = 422


class MalformedInputError(RefusalError):
    """Unreadable input: bad JSON, unknown fields, wrong types."""

    status = 400


def foreign_continuation() -> MalformedInputError:
    """Make the answer for a continuation token that the service did not give."""
    return MalformedInputError(
        "continuation-token-invalid",
        "The continuation token is not one that this service gave out.",
        "Pass the `continuation` of the page before as it came, or leave it out to start anew.",
    )


class UnauthenticatedError(RefusalError):
    """No valid token."""

    status = 401


class ForbiddenError(RefusalError):
    """A known caller without the right."""

    status = 403


class NotFoundError(RefusalError):
    """An object that does not exist, or is not the caller's to know of."""

    status = 404


class ConflictError(RefusalError):
    """The state of the object forbids the operation."""

    status = 409


class PreconditionFailedError(RefusalError):
    """The object has changed since the caller read the object (If-Match)."""

    status = 412


class PreconditionRequiredError(RefusalError):
    """A transition that needs If-Match came without it (RFC 6585 section 3)."""

    status = 428


class TooLargeError(RefusalError):
    """The request is larger than is accepted."""

    status = 413


class TooManyRequestsError(RefusalError):
    """A caller asks more often than the app lets a caller ask (RFC 6585 section 4).

    `wait` is the time until the next request is taken, in seconds.
    """

    status = 429

    def __init__(self, wait: float) -> None:
        super().__init__(
            "too-many-requests",
            "The caller sends more requests than are taken from a caller.",
            "Wait for as many seconds as Retry-After says, then go on more slowly.",
        )
        self.wait = wait


class UnavailableError(Exception):
    """A service beneath Vouchsafe did not answer; the same request may succeed later.

    `service` is a fixed word such as "storage", "bus", "vault", "data-key-vault" or "tokenIssuer".
    """

    def __init__(self, service: str) -> None:
        super().__init__(f"{service} is unavailable")
        self.service = service


class IntegrityError(Exception):
    """Stored data was changed past this application, and contradicts itself.

    `remedy` says how to go on.
    """

    def __init__(self, text: str, remedy: str | None = None) -> None:
        super().__init__(text)
        self.remedy = remedy or "Report it; the integrity watch opens an incident that says where."


class DataKeyError(Exception):
    """A tenant's data key cannot be used, and will not be usable before an operator acts.

    `reason` is "destroyed" (deleted, or never made), "disabled", "not-in-force" (before or after
    the validity period) or "malformed" (not 32 bytes in base64).
    """

    def __init__(self, tenant: str, reason: DataKeyFault) -> None:
        super().__init__(f"the data key of {tenant} is {reason}")
        self.tenant = tenant
        self.reason: DataKeyFault = reason


class SealError(Exception):
    """Sealed bytes do not open: another key, another record, or changed bytes."""


class RowConflictError(Exception):
    """A compare-and-set in Table Storage lost: reload the state and decide again.

    `position` is the position, within the transaction, of the operation that lost; None where the
    service did not tell.
    """

    def __init__(self, table: str, position: int | None = None) -> None:
        super().__init__(table)
        self.position = position


class BlobChangedError(Exception):
    """The blob has another version than the requested version."""


class BlobArchivedError(Exception):
    """The blob is in the archive tier, and so can be neither read nor copied."""


def kind_and_place(error: BaseException) -> str:
    """Return the class and the traceback of an unforeseen error, for the log, without the error's
    text.

    The text could hold personal data: GDPR Art. 5(1)(c), data minimisation.
    """
    return f"{type(error).__name__}\n{''.join(traceback.format_tb(error.__traceback__))}"
