"""Keeping the contacts of tenants and of the stamp."""

import base64
from collections.abc import Sequence
from secrets import compare_digest, token_bytes, token_urlsafe

from msgspec.structs import replace

from shared.accesslog import new_entry
from shared.catalogue import CONTACTS_TABLE
from shared.compare_and_set import compare_and_set
from shared.errors import ConflictError, InvalidInputError, NotFoundError
from shared.ids import key, new_id
from shared.messages import Outbox
from shared.messages.contracts import AccessRecorded, Actor
from shared.notices.contact_rules import (
    DEFAULT_ZONE,
    LANGUAGES,
    MOST_CONTACTS,
    Contact,
    ContactTerms,
    checked_mail_address,
)
from shared.notices.records import partition_of
from shared.notices.rules import without_kind
from shared.ports import Clock, DataKeys, Delete, Insert, Operation, Replace, Row, Tables
from shared.rows import Stored, from_values, to_values
from shared.subjects.sealing import seal, unseal
from shared.tenancy import Tenants
from shared.tenancy.rules import is_tenant_id

_TABLE = CONTACTS_TABLE.name
_BOOK = "book"


class ContactBook(Stored, frozen=True):
    """The state of a partition of contacts, changed with every contact.

    `registered` has the addresses of the registration that became contacts.
    """

    registered: tuple[str, ...] = ()
    changes: int = 0


class Contacts:
    """The contacts of every tenant, and of the stamp."""

    def __init__(
        self, tables: Tables, outbox: Outbox, tenants: Tenants, data_keys: DataKeys, clock: Clock
    ) -> None:
        self._tables = tables
        self._outbox = outbox
        self._tenants = tenants
        self._data_keys = data_keys
        self._clock = clock

    async def of(self, tenant: str | None) -> Sequence[Contact]:
        """Return the contacts of a tenant, or of the stamp, in the order of their ids.

        The addresses of the registration are contacts for every kind, until the vendor takes them
        from the registration or the tenant removes them.
        """

        async def attempt() -> Sequence[Contact]:
            contacts, book, etag = await self._read(tenant)
            if tenant is None:
                return contacts
            registered = (await self._tenants.require(tenant)).contacts
            if registered == book.registered:
                return contacts
            return await self._adopt(tenant, contacts, registered, book, etag)

        return await compare_and_set(attempt)

    async def read(self, tenant: str | None, contact: str) -> tuple[Contact, str]:
        """Return a contact and the ETag. Raises NotFoundError."""
        row = await self._tables.get(_TABLE, partition_of(tenant), _row(contact))
        if row is None or row.etag is None:
            raise contact_not_found()
        return from_values(Contact, row.values), row.etag

    async def add(
        self, tenant: str | None, terms: ContactTerms, identifier: str, actor: Actor
    ) -> tuple[Contact, str, str | None]:
        """Add a contact; return the contact, the ETag and the secret of a webhook.

        The same identifier again returns the contact. Raises ConflictError for an address that is
        a contact already, and beyond `MOST_CONTACTS`.
        """

        async def attempt() -> tuple[Contact, str, str | None]:
            contacts = await self.of(tenant)
            _, book, etag = await self._read(tenant)
            known = {one.id: one for one in contacts}
            if identifier in known:
                contact, kept = await self.read(tenant, identifier)
                return contact, kept, await self.secret_of(tenant, contact)
            if len(contacts) >= MOST_CONTACTS:
                raise ConflictError(
                    "contacts-full",
                    f"There are {MOST_CONTACTS} contacts, the most that there can be.",
                    "Remove a contact first, or use a mailing list or a webhook.",
                )
            _require_new(terms.address, contacts)
            secret = None
            contact = self._new(identifier, terms)
            if terms.channel == "webhook":
                secret = f"whsec_{base64.b64encode(token_bytes(32)).decode()}"
                contact = replace(contact, secret=await self._sealed(tenant, contact.id, secret))
            insert = Insert(Row(partition_of(tenant), _row(contact.id), to_values(contact)))
            await self._commit(tenant, [insert], book, etag, "contact.added", contact.id, actor)
            contact, kept = await self.read(tenant, identifier)
            return contact, kept, secret

        return await compare_and_set(attempt)

    async def change(
        self, tenant: str | None, seen: Contact, etag: str, changed: Contact, actor: Actor
    ) -> tuple[Contact, str]:
        """Change a contact that was `seen` with `etag`.

        Raises RowConflictError when the contact has changed since, and ConflictError for an address
        of another contact.
        """
        contacts, book, book_etag = await self._read(tenant)
        if changed.address != seen.address:
            _require_new(changed.address, [one for one in contacts if one.id != seen.id])
        if changed != seen:
            row = Row(partition_of(tenant), _row(seen.id), to_values(changed), etag)
            await self._commit(
                tenant, [Replace(row)], book, book_etag, "contact.changed", seen.id, actor
            )
        return await self.read(tenant, seen.id)

    async def remove(self, tenant: str | None, seen: Contact, etag: str, actor: Actor) -> None:
        """Remove a contact. Raises RowConflictError when the contact has changed since."""
        _, book, book_etag = await self._read(tenant)
        deletion = Delete(partition_of(tenant), _row(seen.id), etag)
        await self._commit(tenant, [deletion], book, book_etag, "contact.removed", seen.id, actor)

    async def disable(self, tenant: str | None, contact: str, reason: str, actor: Actor) -> None:
        """Disable a contact whose receiver wants nothing more. A missing contact is no error."""

        async def attempt() -> None:
            try:
                seen, etag = await self.read(tenant, contact)
            except NotFoundError:
                return
            if seen.disabled is None:
                await self.change(tenant, seen, etag, replace(seen, disabled=reason), actor)

        await compare_and_set(attempt)

    async def refuse(self, token: str) -> None:
        """Turn a kind off for the contact of a link in a mail.

        Raises NotFoundError for a link that no mail has, and for the link of a removed contact.
        """
        tenant, contact, kind, secret = parts_of_token(token)

        async def attempt() -> None:
            seen, etag = await self.read(tenant, contact)
            if not compare_digest(seen.token, secret):
                raise contact_not_found()
            kinds = without_kind(seen.kinds, kind)
            actor = Actor(id=f"contact.{contact}", role="contact", organisation=tenant)
            await self.change(tenant, seen, etag, replace(seen, kinds=kinds), actor)

        await compare_and_set(attempt)

    async def secret_of(self, tenant: str | None, contact: Contact) -> str | None:
        """Return the secret of a webhook. Raises UnavailableError, DataKeyError and SealError."""
        if contact.secret is None or tenant is None:
            return None
        version, _, sealed = contact.secret.partition(" ")
        data_key = await self._data_keys.version(tenant, version)
        bound = f"contact {tenant} {contact.id}".encode()
        return unseal(data_key.key, base64.b64decode(sealed), bound).decode()

    async def _sealed(self, tenant: str | None, contact: str, secret: str) -> str:
        if tenant is None:
            raise InvalidInputError(
                "contact-channel-invalid",
                "Contacts of the stamp have no webhooks.",
                "Pass an e-mail address.",
            )
        data_key = await self._data_keys.newest(tenant)
        sealed = seal(data_key.key, secret.encode(), f"contact {tenant} {contact}".encode())
        return f"{data_key.version} {base64.b64encode(sealed).decode()}"

    async def _read(self, tenant: str | None) -> tuple[list[Contact], ContactBook, str | None]:
        contacts, book, etag = [], ContactBook(), None
        async for row in self._tables.scan(_TABLE, partition_of(tenant)):
            if row.row == _BOOK:
                book, etag = from_values(ContactBook, row.values), row.etag
            elif row.row.startswith(_row("")):
                contacts.append(from_values(Contact, row.values))
        return contacts, book, etag

    async def _adopt(
        self,
        tenant: str,
        contacts: Sequence[Contact],
        registered: Sequence[str],
        book: ContactBook,
        etag: str | None,
    ) -> Sequence[Contact]:
        """Make contacts of new addresses of the registration; remove those that are gone."""
        partition = partition_of(tenant)
        gone = [
            one
            for one in contacts
            if one.is_registered and one.address not in map(_normal, registered)
        ]
        kept = [one for one in contacts if one not in gone]
        taken = {one.address.casefold() for one in kept}
        room = MOST_CONTACTS - len(kept)
        added: list[Contact] = []
        adopted: list[str] = []
        for address in registered:
            if address in book.registered or _normal(address).casefold() in taken:
                adopted.append(address)
            elif len(added) < room:
                adopted.append(address)
                added.append(self._of_registration(address))
                taken.add(added[-1].address.casefold())
        if tuple(adopted) == book.registered and not gone:
            return kept
        operations: list[Operation] = [Delete(partition, _row(one.id)) for one in gone]
        operations += [Insert(Row(partition, _row(one.id), to_values(one))) for one in added]
        operations.append(_book_operation(partition, tuple(adopted), book, etag))
        await self._outbox.commit(_TABLE, partition, operations)
        return sorted([*kept, *added], key=lambda one: one.id)

    def _of_registration(self, address: str) -> Contact:
        terms = ContactTerms("mail", address, LANGUAGES[0], DEFAULT_ZONE, "at-once")
        contact = replace(self._new(new_id(self._clock()), terms), is_registered=True)
        try:
            return replace(contact, address=checked_mail_address(address))
        except InvalidInputError as reason:
            return replace(contact, disabled=reason.code)

    def _new(self, identifier: str, terms: ContactTerms) -> Contact:
        return Contact(
            id=identifier,
            channel=terms.channel,
            address=terms.address,
            language=terms.language,
            time_zone=terms.time_zone,
            timing=terms.timing,
            kinds=terms.kinds,
            roles=terms.roles,
            created_at=self._clock(),
            token=token_urlsafe(12),
        )

    async def _commit(
        self,
        tenant: str | None,
        operations: Sequence[Operation],
        book: ContactBook,
        etag: str | None,
        action: str,
        contact: str,
        actor: Actor,
    ) -> None:
        partition, now = partition_of(tenant), self._clock()
        book_operation = _book_operation(partition, book.registered, book, etag)
        entries = []
        if tenant is not None:
            recorded = AccessRecorded(
                tenant=tenant,
                actor=actor,
                action=action,
                resource=f"contacts/{contact}",
                outcome="allowed",
            )
            entries = [new_entry(recorded, new_id(now), now)]
        await self._outbox.commit(_TABLE, partition, [*operations, book_operation], entries)


def contact_not_found() -> NotFoundError:
    """Return the answer for a missing contact."""
    return NotFoundError(
        "contact-not-found", "There is no such contact.", "List the contacts that there are."
    )


def parts_of_token(token: str) -> tuple[str, str, str, str]:
    """Return the tenant, the contact, the kind and the secret of a link in a mail.

    Raises NotFoundError for any other text.
    """
    parts = token.split("~")
    if len(parts) != 4 or not token.isascii() or not is_tenant_id(parts[0]) or not parts[1]:
        raise contact_not_found()
    return parts[0], parts[1], parts[2], parts[3]


def _require_new(address: str, contacts: Sequence[Contact]) -> None:
    if address.casefold() in {one.address.casefold() for one in contacts}:
        raise ConflictError(
            "contact-exists",
            "A contact has the address already.",
            "Change the preferences of the contact.",
        )


def _normal(address: str) -> str:
    try:
        return checked_mail_address(address)
    except InvalidInputError:
        return address


def _row(contact: str) -> str:
    return key("contact", contact)


def _book_operation(
    partition: str, registered: tuple[str, ...], book: ContactBook, etag: str | None
) -> Operation:
    changed = replace(book, registered=registered, changes=book.changes + 1)
    row = Row(partition, _BOOK, to_values(changed), etag)
    return Insert(row) if etag is None else Replace(row)
