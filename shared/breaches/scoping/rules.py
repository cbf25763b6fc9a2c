"""The scope of a breach by the evidence: the question, and the finding for a tenant. Pure rules."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, Literal

import msgspec

from shared.accesslog.entries import Entry
from shared.assets.rules import Asset
from shared.blob_names import canonical_path
from shared.catalogue import (
    ASSETS_TABLE,
    METADATA_CONTAINER,
    QUARANTINE_CONTAINER,
    TENANT_CONTAINER,
    tenant_container,
)
from shared.errors import InvalidInputError
from shared.ids import is_id
from shared.rows import Stored

type StoreName = Literal["tenant-{tenant}", "quarantine", "metadata", "assets"]
type Phase = Literal["log", "records", "done"]
type Affected = Literal["yes", "no", "undetermined"]
type Category = Literal["pictures", "names", "contact-details", "locations", "texts", "paths"]

_LONGEST_ASSET_ID: Final = 64
_OF_ASSETS: Final = f"{ASSETS_TABLE.name}/"
# Actors and actions of a finding that are named; further ones are counted under one name.
_MOST_NAMED: Final = 20
FURTHER: Final = "further"
_EVERY_STORE: Final = (ASSETS_TABLE.name, METADATA_CONTAINER.name)
_STORES: Final = (TENANT_CONTAINER.name, QUARANTINE_CONTAINER.name, *_EVERY_STORE)

# The reasons for which the evidence cannot tell.
TENANT_UNKNOWN: Final = "The stamp has no such tenant, or may not keep the tenant's data."
LOG_UNREADABLE: Final = "The head of the access log cannot be read: no entry could be looked at."
LOG_DAMAGED: Final = (
    "The access log was changed past the app: entries of the range may be missing or wrong."
)
LOG_UNSIGNED: Final = "No checkpoint covers the range of the access log."
BYTES_READ_DIRECTLY: Final = (
    "Bytes that are read directly from storage leave no entry in the access log: every asset that"
    " the store held counts as exposed."
)


class ScopeCriteria(Stored, frozen=True):
    """The question of a scope: what was touched from `since` to before `until`.

    Given conditions all apply: an `actor` (the directory's object id), a consent `grant`, a prefix
    of the assets' paths. With a `store`, every asset counts that the store held in the window,
    whatever the log says. `tenants` are the tenants to look at; empty for every tenant.
    """

    since: datetime
    until: datetime
    actor: str | None = None
    grant: str | None = None
    path_prefix: str | None = None
    store: StoreName | None = None
    tenants: tuple[str, ...] = ()


class LogRange(Stored, frozen=True):
    """The evidence of a range of a tenant's access log.

    The entries from `first` to before `end` were read and hashed. Appended to the tree of `first`
    entries, which has the root `first_root`, they give the root of `checkpoint`, a signed note of
    `end` entries: so no entry of the range is missing or changed. `consistency` proves that the
    tree of `end` continues the tree of `first` (RFC 9162 section 2.1.4), in base64.
    """

    origin: str
    first: int
    end: int
    first_root: str
    checkpoint: str | None
    is_whole: bool = False
    consistency: tuple[str, ...] = ()


class TenantFinding(Stored, frozen=True):
    """The finding for a tenant, with the progress.

    `entries` counts the allowed accesses that match the criteria, `attempts` the denied and the
    failed attempts, `redacted` the entries of the range whose content was erased. `next_index` is
    the next entry to read, `root` the root of the entries before (base64; empty once an entry is
    missing), `after` the last asset looked at. `assets` counts the assets, `erased` those that have
    been erased since, `unopened` those whose sealed record cannot be opened. `persons` counts
    distinct names and addresses; None where nothing can be told. `disclosures` counts the accesses
    to anything but a single asset, such as a list, by action. `unknown` has the reasons for which
    the evidence cannot tell. `first_at` and `last_at` are the times of the first and the last
    access. `grants` are the consent grants of the window, `actors` the ids of those who acted.
    """

    breach: str
    run: int
    tenant: str
    phase: Phase = "log"
    batch: int = 0
    started_at: datetime | None = None
    done_at: datetime | None = None
    log: LogRange | None = None
    next_index: int = 0
    root: str = ""
    after: str = ""
    entries: int = 0
    attempts: int = 0
    redacted: int = 0
    assets: int = 0
    erased: int = 0
    unopened: int = 0
    recordless: int = 0
    persons: int | None = None
    is_estimate: bool = False
    categories: Mapping[str, int] = {}
    disclosures: Mapping[str, int] = {}
    actions: Mapping[str, int] = {}
    actors: tuple[str, ...] = ()
    grants: tuple[str, ...] = ()
    first_at: datetime | None = None
    last_at: datetime | None = None
    unknown: tuple[str, ...] = ()
    notice_version: int = 0
    first_noticed_at: datetime | None = None

    @property
    def affected(self) -> Affected:
        """Tell whether the evidence names data of the tenant."""
        if self.assets or self.disclosures:
            return "yes"
        return "undetermined" if self.unknown or self.phase != "done" else "no"


def check_criteria(criteria: ScopeCriteria, now: datetime) -> None:
    """Check a question. Raises InvalidInputError for a window that is empty or has not begun."""
    if not criteria.since < criteria.until or criteria.since > now:
        raise InvalidInputError(
            "scope-window-invalid",
            "The window of the scope is empty, or has not begun.",
            "Give `since` before `until`, in the past, as RFC 3339 with a zone.",
        )
    if len(set(criteria.tenants)) < len(criteria.tenants):
        raise InvalidInputError(
            "scope-tenants-repeated",
            "A tenant is named twice.",
            "Name each tenant once, or none for every tenant.",
        )


def with_unknown(finding: TenantFinding, reason: str) -> TenantFinding:
    """Add a reason for which the evidence cannot tell, once."""
    if reason in finding.unknown:
        return finding
    return msgspec.structs.replace(finding, unknown=(*finding.unknown, reason))


def asset_of(resource: str) -> str | None:
    """Return the id of the asset that an entry's resource names; None for anything else.

    Services report what they like. A name that no asset can have counts as something else.
    """
    name = resource.removeprefix(_OF_ASSETS)
    is_asset = name != resource and is_id(name) and len(name) <= _LONGEST_ASSET_ID
    return name if is_asset else None


def take_entry(
    finding: TenantFinding, criteria: ScopeCriteria, entry: Entry
) -> tuple[TenantFinding, str | None]:
    """Count an entry of the log. Returns the finding, and the id of the asset that was touched."""
    if not _matches(criteria, entry):
        return finding, None
    if entry.outcome != "allowed":
        return msgspec.structs.replace(finding, attempts=finding.attempts + 1), None
    asset = asset_of(entry.resource)
    at = entry.trusted_time
    counted = msgspec.structs.replace(
        finding,
        entries=finding.entries + 1,
        actions=_counted(finding.actions, entry.action),
        actors=_named(finding.actors, entry.actor.id),
        grants=_named(finding.grants, entry.grant_id),
        first_at=at if finding.first_at is None else min(finding.first_at, at),
        last_at=at if finding.last_at is None else max(finding.last_at, at),
    )
    # A path may be asked for: then only the asset's record can tell what was touched.
    if asset is None and criteria.path_prefix is None:
        counted = msgspec.structs.replace(
            counted, disclosures=_counted(finding.disclosures, entry.action)
        )
    return counted, asset


def _matches(criteria: ScopeCriteria, entry: Entry) -> bool:
    return (
        criteria.since <= entry.trusted_time < criteria.until
        and criteria.actor in {None, entry.actor.id}
        and criteria.grant in {None, entry.grant_id}
        and entry.action not in OWN_ACTIONS
    )


OWN_ACTIONS: Final = frozenset(
    {"breach.scoped", "breach.notified", "breach-finding.viewed", "breach-notice.viewed"}
)
"""The entries that the work on breaches leaves: no part of any breach."""


def holds(criteria: ScopeCriteria, asset: Asset) -> bool:
    """Tell whether the store of the criteria held an asset in the window."""
    if asset.filed_at >= criteria.until:
        return False
    if criteria.store in _EVERY_STORE:
        return True
    wanted = (
        tenant_container(asset.tenant)
        if criteria.store == TENANT_CONTAINER.name
        else criteria.store
    )
    return asset.container == wanted


def has_path(criteria: ScopeCriteria, asset: Asset) -> bool:
    """Tell whether the path of an asset begins as the criteria ask for."""
    if criteria.path_prefix is None:
        return True

    return asset.canonical_path.startswith(canonical_path(criteria.path_prefix))


_PICTURES: Final = ("image/", "video/", "audio/", "application/pdf")


def categories_of(
    asset: Asset | None, fields: Iterable[tuple[str, bool, bool]]
) -> frozenset[Category]:
    """Return the categories of personal data in an asset.

    `fields` are the names of the fields of the record's texts, each with whether the text names
    people, and whether the text has an address.
    """
    found: set[Category] = {"paths"}
    if asset is not None and (asset.media_type or "").startswith(_PICTURES):
        found.add("pictures")
    for field, is_name, is_address in fields:
        if is_name:
            found.add("names")
        if is_address:
            found.add("contact-details")
        if "GPS" in field or field.rpartition(":")[2].startswith(("Location", "City")):
            found.add("locations")
        elif not is_name and field != "path":
            found.add("texts")
    return frozenset(found)


def add_categories(known: Mapping[str, int], found: Iterable[str]) -> dict[str, int]:
    """Count an asset in each of its categories."""
    counts = dict(known)
    for one in sorted(found):
        counts[one] = counts.get(one, 0) + 1
    return counts


def completed(
    finding: TenantFinding, persons: int, *, is_estimate: bool, now: datetime
) -> TenantFinding:
    """End a finding: state the numbers, and the reasons for which the evidence cannot tell."""
    done = msgspec.structs.replace(
        finding,
        phase="done",
        done_at=now,
        is_estimate=is_estimate,
        persons=persons,
        root="",
        after="",
    )
    if finding.redacted:
        done = with_unknown(
            done,
            f"{finding.redacted} entries of the range of the access log were redacted: their"
            " content is erased, and may belong to the breach.",
        )
    if done.disclosures:
        done = with_unknown(
            done,
            "Lists and further answers were read: the log names the list, and not each asset in"
            " the list.",
        )
    blind = finding.unopened + finding.recordless + finding.erased
    if finding.unopened:
        done = with_unknown(
            done,
            f"The records of {finding.unopened} assets cannot be opened, because the tenant's data"
            " key was destroyed, or the record was changed: the names in these assets are not"
            " counted.",
        )
    if finding.recordless:
        done = with_unknown(
            done,
            f"{finding.recordless} assets have no record of the texts in their metadata, or were"
            " not read whole: the names in these assets are not counted, or not all.",
        )
    if finding.erased:
        done = with_unknown(
            done,
            f"{finding.erased} assets have been erased since, with their records: the names in"
            " these assets are not counted.",
        )
    if (blind and blind >= finding.assets) or (not finding.assets and done.unknown):
        done = msgspec.structs.replace(done, persons=None)
    return done


def _counted(known: Mapping[str, int], name: str) -> dict[str, int]:
    if name not in known and len(known) >= _MOST_NAMED:
        name = FURTHER
    return {**known, name: known.get(name, 0) + 1}


def _named(known: tuple[str, ...], name: str | None) -> tuple[str, ...]:
    if name is None or name in known or len(known) >= _MOST_NAMED:
        return known
    return (*known, name)
