"""Access by the vendor's people: only under a live consent grant, and never unrecorded."""

from shared.accesses.service import Accesses, Handover

__all__ = ["Accesses", "Handover"]
