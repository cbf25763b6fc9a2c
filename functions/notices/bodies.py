"""The JSON bodies of the endpoints of notices and contacts."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta

from functions.edge.bodies import RequestBody, View
from shared.messages.contracts import Identifier
from shared.notices.contact_rules import DEFAULT_ZONE, LANGUAGES, Address, KindNames, Timing

type LanguageName = Annotated[str, Meta(max_length=32)]
type ZoneName = Annotated[str, Meta(max_length=64)]
type RoleNames = Annotated[
    tuple[
        Literal["vendor.support", "vendor.it_supervisor", "vendor.officer", "vendor.dpo"],
        ...,
    ],
    Meta(min_length=1, max_length=8),
]


class ContactRequest(RequestBody, frozen=True):
    """A contact of a tenant. Without `kinds` the contact gets every kind of notice.

    `address` is an e-mail address, or the https URL of a webhook. A `daily` contact gets one mail
    at 07:00 in its time zone; webhooks, breaches and break glass are always at once.
    """

    address: Address
    channel: Literal["mail", "webhook"] = "mail"
    kinds: KindNames | None = None
    language: LanguageName = LANGUAGES[0]
    time_zone: ZoneName = DEFAULT_ZONE
    timing: Timing = "at-once"


class StaffContactRequest(RequestBody, frozen=True):
    """A contact of the stamp: an e-mail address that gets the incidents for `roles`."""

    address: Address
    roles: RoleNames
    language: LanguageName = LANGUAGES[0]
    time_zone: ZoneName = DEFAULT_ZONE


class ContactView(View, frozen=True):
    """A contact. `kinds` is null for every kind.

    `disabled` is the reason for which the contact gets nothing. `isRegistered` marks an address of
    the tenant's registration. `secret` signs the messages of a webhook; only the answer to the
    request that added the webhook has the secret.
    """

    id: str
    channel: Literal["mail", "webhook"]
    address: str
    kinds: tuple[str, ...] | None
    language: str
    time_zone: str
    timing: Timing
    disabled: str | None
    is_registered: bool
    created_at: datetime
    secret: str | None = None


class ContactList(View, frozen=True):
    """The contacts of a tenant."""

    contacts: list[ContactView]


class StaffContactView(View, frozen=True):
    """A contact of the stamp."""

    id: str
    address: str
    roles: tuple[str, ...]
    language: str
    time_zone: str
    created_at: datetime


class StaffContactList(View, frozen=True):
    """The contacts of the stamp."""

    contacts: list[StaffContactView]


class NoticeAttemptView(View, frozen=True):
    """An attempt at a delivery: the time, and the answer as a code such as `smtp-250`."""

    at: datetime
    result: str


class NoticeDeliveryView(View, frozen=True):
    """The delivery of a notice to a contact, with every attempt.

    `contact` is the id of the contact. `asked` counts the requests to deliver again.
    """

    contact: str
    channel: Literal["mail", "webhook"]
    state: Literal[
        "waiting",
        "handing-over",
        "delivered",
        "in-doubt",
        "refused",
        "gathered",
        "drill",
        "dropped",
    ]
    asked: int
    attempts: list[NoticeAttemptView]
    due_at: datetime | None
    ended_at: datetime | None


class NoticeSummary(View, frozen=True):
    """A notice: the kind, the event's type and time, and who acknowledged the notice."""

    id: str
    kind: str
    type: str
    occurred_at: datetime
    received_at: datetime
    is_drill: bool
    acknowledged_by: str | None
    acknowledged_at: datetime | None


class NoticeView(NoticeSummary, frozen=True):
    """A notice with its data, the subject and the text in a language, and the deliveries."""

    data: dict[str, Any]
    language: str
    subject: str
    text: str
    deliveries: list[NoticeDeliveryView]


class NoticePage(View, frozen=True):
    """A page of notices, the oldest first, and the token of the next page."""

    notices: list[NoticeSummary]
    continuation: str | None


class RedeliveryRequest(RequestBody, frozen=True):
    """Deliver a notice to a contact once more."""

    contact: Identifier
