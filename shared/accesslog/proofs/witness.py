"""The witness of a log, as a tenant registers the witness.

The module imports nothing else of the log, because the endpoints name the type at every cold start.
"""

from datetime import datetime

from shared.messages.contracts import Actor
from shared.rows import Stored


class Witness(Stored, frozen=True):
    """A witness whose cosignatures the log accepts. `id` is the id of the key in hexadecimal."""

    id: str
    name: str
    vkey: str
    added_by: Actor
    added_at: datetime
