"""The catalogue of notices: the subject, the text and the facts of each kind, in English.

English is the key of the translations in `locales/`. No text has a place for a value, so that no
value can be lacking within a sentence: values are facts, each with a label.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

READ: Final = "You find the notice in the API of Vouchsafe under its id."
WHY: Final = (
    "You get this mail because the address is a contact for notices. Your administrator can change"
    " that."
)
NOTICE_ID: Final = "Notice"
UNKNOWN: Final = "could not be determined"

DIGEST_SUBJECT: Final = "Notices of Vouchsafe, gathered"
DIGEST_TEXT: Final = "These notices were gathered for you."
DIGEST_REST: Final = "There are more notices than a mail shows. You find all of them in the API."

PLAIN_TEXT: Final = "The notice is shown without its text, because a value is lacking."


@dataclass(frozen=True, slots=True)
class Wording:
    """The words of a kind. `facts` has the attributes of the notice, each with its label."""

    subject: str
    paragraphs: tuple[str, ...]
    facts: Mapping[str, str]


WORDINGS: Final[Mapping[str, Wording]] = {
    "upload-infected": Wording(
        "An upload was infected and is in quarantine",
        (
            "The scan of an upload found malware. The file is in quarantine: nobody can open it.",
            "Find out where the file came from, and upload a clean copy.",
        ),
        {"asset_id": "Asset", "found_at": "Found"},
    ),
    "asset-infected": Wording(
        "A stored file was found infected and is in quarantine",
        (
            "A new scan of a stored file found malware. The file is in quarantine.",
            "The file may have been opened before. The notice in the API names the recipients.",
        ),
        {"asset_id": "Asset", "filed_at": "Filed", "found_at": "Found"},
    ),
    "access-asked": Wording(
        "An engineer asks for access to your files",
        ("An engineer of the vendor asks for access. Without your consent there is none.",),
        {
            "engineer": "Engineer",
            "purpose": "Purpose",
            "ticket": "Ticket",
            "path_prefix": "Folder",
            "asked_at": "Asked",
            "request_id": "Request",
        },
    ),
    "consent-granted": Wording(
        "Consent to access was granted",
        ("Somebody of your organisation has let an engineer of the vendor read files.",),
        {
            "engineer": "Engineer",
            "purpose": "Purpose",
            "ticket": "Ticket",
            "expires_at": "Until",
            "changed_at": "Time",
            "grant_id": "Consent",
        },
    ),
    "consent-revoked": Wording(
        "Consent to access was revoked",
        ("Somebody of your organisation has revoked a consent. The engineer has no access now.",),
        {
            "engineer": "Engineer",
            "purpose": "Purpose",
            "ticket": "Ticket",
            "changed_at": "Time",
            "grant_id": "Consent",
        },
    ),
    "consent-lapsed": Wording(
        "Consent to access has lapsed",
        ("The time of a consent is over. The engineer has no access now.",),
        {
            "engineer": "Engineer",
            "purpose": "Purpose",
            "ticket": "Ticket",
            "changed_at": "Time",
            "grant_id": "Consent",
        },
    ),
    "consent-used": Wording(
        "Consent to access was used",
        (
            "An engineer of the vendor has read a file under a consent, for the first time.",
            "Your access log has every access.",
        ),
        {
            "engineer": "Engineer",
            "purpose": "Purpose",
            "ticket": "Ticket",
            "changed_at": "Time",
            "expires_at": "Until",
            "grant_id": "Consent",
        },
    ),
    "break-glass": Wording(
        "Emergency access without your consent",
        (
            "Staff of the vendor had access in an emergency, without your consent.",
            "Your access log has every access.",
        ),
        {
            "engineer": "Engineer",
            "reason": "Reason",
            "ticket": "Ticket",
            "began_at": "From",
            "ends_at": "Until",
            "access_id": "Access",
        },
    ),
    "erasure-awaiting-approval": Wording(
        "An erasure request waits for approval",
        ("The search is done. A second DAM manager looks at the finds and approves the erasure.",),
        {"request_id": "Request", "reached_at": "Time"},
    ),
    "erasure-completed": Wording(
        "An erasure is completed",
        ("The erasure is carried out and checked. The certificate is ready in the API.",),
        {"request_id": "Request", "reached_at": "Time"},
    ),
    "breach": Wording(
        "Personal data breach: notice to the controller",
        (
            "A personal data breach concerns your organisation.",
            "This is the vendor's notice under Article 33(2) of the GDPR.",
            "As controller you decide on the notification to your authority, in the time below.",
        ),
        {
            "reference": "Reference",
            "version": "Version of the notice",
            "what_happened": "What happened",
            "began_at": "From",
            "ended_at": "Until",
            "aware_at": "The vendor became aware",
            "notified_at": "Notice given",
            "tenant_deadline": "Time for the notification to the authority ends",
            "categories": "Categories of personal data",
            "asset_count": "Number of assets",
            "person_count": "Number of persons",
            "assets": "Assets",
            "unknown": "Not determined, because",
            "consequences": "Likely consequences",
            "measures": "Measures",
            "contact": "Contact",
        },
    ),
    "maintenance": Wording(
        "Maintenance of Vouchsafe",
        ("A maintenance window concerns you.",),
        {
            "change": "State",
            "work": "Work",
            "starts_at": "From",
            "ends_at": "Until",
            "emergency": "Announced late, because",
            "zone": "Zone",
            "version": "Version of the notice",
            "window_id": "Window",
        },
    ),
    "export-ready": Wording(
        "An export is ready",
        ("An export can be fetched in the API, until the time below.",),
        {"export_id": "Export", "ready_at": "Ready", "expires_at": "Until"},
    ),
    "subprocessor": Wording(
        "A new subprocessor",
        (
            "The vendor plans to engage another processor (Article 28(2) of the GDPR).",
            "You can object until the time below.",
        ),
        {
            "subprocessor": "Subprocessor",
            "service": "Service",
            "country": "Country",
            "starts_at": "From",
            "objections_until": "Objections until",
        },
    ),
    "undelivered": Wording(
        "Notices do not reach one of your contacts",
        (
            "The server of a contact does not take notices. Check the address in the contacts.",
            "Vouchsafe goes on trying with later notices.",
        ),
        {
            "contact_id": "Contact",
            "channel": "Channel",
            "result": "Answer of the server",
            "notice_id": "First notice of the day",
            "failed_at": "Time",
        },
    ),
    "incident": Wording(
        "Incident",
        ("An incident waits for acknowledgement.",),
        {
            "severity": "Severity",
            "kind": "Kind",
            "summary": "What happened",
            "resource": "Resource",
            "tenant": "Tenant",
            "step": "Step of the escalation",
            "opened_at": "Opened",
            "incident_id": "Incident",
        },
    ),
}

VALUES: Final[Mapping[str, str]] = {
    "announced": "announced",
    "changed": "changed",
    "called-off": "called off",
    "reminder": "reminder",
    "warning": "warning",
    "critical": "critical",
    "mail": "e-mail",
    "webhook": "webhook",
}
"""The words of values that are terms of ours."""

OPTIONAL: Final = frozenset(
    {
        "began_at",
        "ended_at",
        "emergency",
        "tenant",
        "unknown",
        "path_prefix",
        "categories",
        "assets",
    }
)
"""The facts that a notice may go without."""

UNDETERMINED: Final = frozenset({"asset_count", "person_count"})
"""The facts whose absence the notice states."""

TERMED: Final = frozenset({"change", "severity", "channel"})
"""The facts whose values are terms."""


def messages() -> frozenset[str]:
    """Return every text that needs a translation."""
    texts = {
        READ,
        WHY,
        NOTICE_ID,
        UNKNOWN,
        DIGEST_SUBJECT,
        DIGEST_TEXT,
        DIGEST_REST,
        PLAIN_TEXT,
        *VALUES.values(),
    }
    for wording in WORDINGS.values():
        texts |= {wording.subject, *wording.paragraphs, *wording.facts.values()}
    return frozenset(texts)
