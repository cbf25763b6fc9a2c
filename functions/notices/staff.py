"""The contacts of the stamp, who are told of incidents by role."""

import azure.functions as func
import msgspec

from functions.edge.calls import Call, Reply
from functions.edge.disclosures import NOTHING
from functions.edge.etags import etag_header
from functions.edge.http import HttpRoutes
from functions.notices.bodies import StaffContactList, StaffContactRequest, StaffContactView
from shared.composition.notices import NoticesFlow
from shared.identity.rules import VENDOR_IT_SUPERVISOR
from shared.notices.contact_rules import (
    Contact,
    ContactTerms,
    check_language,
    check_time_zone,
    checked_mail_address,
)

blueprint = func.Blueprint()
http = HttpRoutes(blueprint, NoticesFlow)

_SUPERVISOR = {VENDOR_IT_SUPERVISOR}


@http.endpoint(
    "GET",
    "staff-contacts",
    discloses=NOTHING,
    roles=_SUPERVISOR,
    replies={200: StaffContactList},
)
async def list_staff_contacts(call: Call[NoticesFlow]) -> Reply:
    """List the contacts of the stamp."""
    found = await call.flow.contacts.of(None)
    return Reply(200, StaffContactList(contacts=[_view(one) for one in found]))


@http.endpoint(
    "POST",
    "staff-contacts",
    discloses=NOTHING,
    roles=_SUPERVISOR,
    body=StaffContactRequest,
    replies={201: StaffContactView},
    idempotent=True,
)
async def add_staff_contact(call: Call[NoticesFlow]) -> Reply:
    """Add a contact of the stamp."""
    terms = _terms(call.read(StaffContactRequest))
    identifier = (await call.reserve("staff-contacts", keeps_body=False)).id
    contact, etag, _ = await call.flow.contacts.add(
        None, terms, identifier, call.caller.actor(_SUPERVISOR)
    )
    headers = {"ETag": etag_header(etag), "Location": f"/api/staff-contacts/{contact.id}"}
    return Reply(201, _view(contact), headers)


@http.endpoint(
    "GET",
    "staff-contacts/{contact}",
    discloses=NOTHING,
    roles=_SUPERVISOR,
    replies={200: StaffContactView},
)
async def read_staff_contact(call: Call[NoticesFlow]) -> Reply:
    """Read a contact of the stamp. Gives the ETag."""
    contact, etag = await call.flow.contacts.read(None, call.param("contact"))
    return Reply(200, _view(contact), {"ETag": etag_header(etag)})


@http.endpoint(
    "PUT",
    "staff-contacts/{contact}",
    discloses=NOTHING,
    roles=_SUPERVISOR,
    body=StaffContactRequest,
    replies={200: StaffContactView},
    conditional=True,
)
async def change_staff_contact(call: Call[NoticesFlow]) -> Reply:
    """Change a contact of the stamp that was seen (If-Match)."""
    terms = _terms(call.read(StaffContactRequest))
    seen, etag = await call.flow.contacts.read(None, call.param("contact"))
    call.require_match(etag)
    changed = msgspec.structs.replace(seen, disabled=None, **msgspec.structs.asdict(terms))
    contact, kept = await call.flow.contacts.change(
        None, seen, etag, changed, call.caller.actor(_SUPERVISOR)
    )
    return Reply(200, _view(contact), {"ETag": etag_header(kept)})


@http.endpoint(
    "DELETE",
    "staff-contacts/{contact}",
    discloses=NOTHING,
    roles=_SUPERVISOR,
    replies={204: None},
    conditional=True,
)
async def remove_staff_contact(call: Call[NoticesFlow]) -> Reply:
    """Remove a contact of the stamp that was seen (If-Match)."""
    seen, etag = await call.flow.contacts.read(None, call.param("contact"))
    call.require_match(etag)
    await call.flow.contacts.remove(None, seen, etag, call.caller.actor(_SUPERVISOR))
    return Reply(204)


def _terms(request: StaffContactRequest) -> ContactTerms:
    return ContactTerms(
        "mail",
        checked_mail_address(request.address),
        check_language(request.language),
        check_time_zone(request.time_zone),
        "at-once",
        roles=tuple(sorted(set(request.roles))),
    )


def _view(contact: Contact) -> StaffContactView:
    return StaffContactView(
        id=contact.id,
        address=contact.address,
        roles=contact.roles,
        language=contact.language,
        time_zone=contact.time_zone,
        created_at=contact.created_at,
    )
