"""The queues, by the names they have in Service Bus.

What each of them allows (sessions, lock duration, duplicate detection) is declared once, in the
emulator configuration that the local stack reads; a test compares the two.
"""

from typing import Final

INTAKE: Final = "intake"
CONSENT_GRANTS: Final = "consent-grants"
ACCESS_EVENTS: Final = "access-events"
ERASURE_REQUESTS: Final = "erasure-requests"
ERASURE_BATCHES: Final = "erasure-batches"
SCAN_RESULTS: Final = "scan-results"
"""Microsoft's events, as Event Grid delivers them; no contract of ours."""
INCIDENTS: Final = "incidents"
NOTICES: Final = "notices"
PARKED_MESSAGES: Final = "parked-messages"

ALL: Final = (
    INTAKE,
    CONSENT_GRANTS,
    ACCESS_EVENTS,
    ERASURE_REQUESTS,
    ERASURE_BATCHES,
    SCAN_RESULTS,
    INCIDENTS,
    NOTICES,
    PARKED_MESSAGES,
)
WITH_SESSIONS: Final = (CONSENT_GRANTS, ERASURE_REQUESTS)
