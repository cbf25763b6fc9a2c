"""A tenant's contacts, and the preferences of each."""

import azure.functions as func
import msgspec

from functions.edge.calls import Call, Reply
from functions.edge.disclosures import Disclosed
from functions.edge.etags import etag_header
from functions.edge.http import HttpRoutes
from functions.notices.bodies import ContactList, ContactRequest, ContactView
from shared.composition.notices import NoticesFlow
from shared.errors import InvalidInputError
from shared.identity.rules import TENANT_ADMIN
from shared.notices.contact_rules import (
    Contact,
    ContactTerms,
    check_kinds,
    check_language,
    check_time_zone,
    checked_mail_address,
    checked_webhook_url,
)
from shared.notices.rules import KINDS

blueprint = func.Blueprint()
http = HttpRoutes(blueprint, NoticesFlow)

_ADMIN = {TENANT_ADMIN}


@http.endpoint(
    "GET",
    "tenants/{tenant}/contacts",
    discloses=Disclosed("contacts.listed", "contacts"),
    roles=_ADMIN,
    replies={200: ContactList},
)
async def list_contacts(call: Call[NoticesFlow]) -> Reply:
    """List the tenant's contacts; the addresses of the registration are among the contacts."""
    found = await call.flow.contacts.of(call.tenant)
    return Reply(200, ContactList(contacts=[_view(one) for one in found]))


@http.endpoint(
    "POST",
    "tenants/{tenant}/contacts",
    discloses=Disclosed("contact.viewed"),
    roles=_ADMIN,
    body=ContactRequest,
    replies={201: ContactView},
    idempotent=True,
)
async def add_contact(call: Call[NoticesFlow]) -> Reply:
    """Add a contact. The answer for a webhook has the secret that signs the messages."""
    terms = _terms(call, call.read(ContactRequest))
    identifier = (await call.reserve(f"contacts|{call.tenant}", keeps_body=False)).id
    contact, etag, secret = await call.flow.contacts.add(
        call.tenant, terms, identifier, call.caller.actor(_ADMIN)
    )
    headers = {
        "ETag": etag_header(etag),
        "Location": f"/api/tenants/{call.tenant}/contacts/{contact.id}",
    }
    return Reply(201, _view(contact, secret), headers, resource=f"contacts/{contact.id}")


@http.endpoint(
    "GET",
    "tenants/{tenant}/contacts/{contact}",
    discloses=Disclosed("contact.viewed", "contacts/{contact}"),
    roles=_ADMIN,
    replies={200: ContactView},
)
async def read_contact(call: Call[NoticesFlow]) -> Reply:
    """Read a contact. Gives the ETag."""
    contact, etag = await call.flow.contacts.read(call.tenant, call.param("contact"))
    return Reply(200, _view(contact), {"ETag": etag_header(etag)})


@http.endpoint(
    "PUT",
    "tenants/{tenant}/contacts/{contact}",
    discloses=Disclosed("contact.viewed", "contacts/{contact}"),
    roles=_ADMIN,
    body=ContactRequest,
    replies={200: ContactView},
    conditional=True,
)
async def change_contact(call: Call[NoticesFlow]) -> Reply:
    """Change a contact that was seen (If-Match); a disabled contact gets notices again."""
    terms = _terms(call, call.read(ContactRequest))
    seen, etag = await call.flow.contacts.read(call.tenant, call.param("contact"))
    call.require_match(etag)
    if terms.channel != seen.channel:
        raise InvalidInputError(
            "contact-channel-invalid",
            "The channel of a contact does not change.",
            "Add a contact with the other channel, and remove this contact.",
        )
    changed = msgspec.structs.replace(seen, disabled=None, **msgspec.structs.asdict(terms))
    contact, kept = await call.flow.contacts.change(
        call.tenant, seen, etag, changed, call.caller.actor(_ADMIN)
    )
    return Reply(200, _view(contact), {"ETag": etag_header(kept)}, is_logged=changed != seen)


@http.endpoint(
    "DELETE",
    "tenants/{tenant}/contacts/{contact}",
    discloses=Disclosed("contact.viewed", "contacts/{contact}"),
    roles=_ADMIN,
    replies={204: None},
    conditional=True,
)
async def remove_contact(call: Call[NoticesFlow]) -> Reply:
    """Remove a contact that was seen (If-Match)."""
    seen, etag = await call.flow.contacts.read(call.tenant, call.param("contact"))
    call.require_match(etag)
    await call.flow.contacts.remove(call.tenant, seen, etag, call.caller.actor(_ADMIN))
    return Reply(204, is_logged=True)


def _terms(call: Call[NoticesFlow], request: ContactRequest) -> ContactTerms:
    """Check a request. Raises InvalidInputError that names the fault."""
    if request.channel == "webhook":
        address = checked_webhook_url(request.address, call.flow.webhook_loopback)
    else:
        address = checked_mail_address(request.address)
    return ContactTerms(
        request.channel,
        address,
        check_language(request.language),
        check_time_zone(request.time_zone),
        request.timing,
        None if request.kinds is None else check_kinds(request.kinds, KINDS),
    )


def _view(contact: Contact, secret: str | None = None) -> ContactView:
    return ContactView(
        id=contact.id,
        channel=contact.channel,
        address=contact.address,
        kinds=contact.kinds,
        language=contact.language,
        time_zone=contact.time_zone,
        timing=contact.timing,
        disabled=contact.disabled,
        is_registered=contact.is_registered,
        created_at=contact.created_at,
        secret=secret,
    )
