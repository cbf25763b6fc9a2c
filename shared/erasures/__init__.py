"""Erasure requests: asked for, discovered, decided on, approved, carried out and verified."""

from shared.erasures.discovery import Discovery
from shared.erasures.evidence import FindEvidence
from shared.erasures.groups import Groups
from shared.erasures.sealing import ErasureSeals
from shared.erasures.service import Erasures
from shared.erasures.store import ErasureStore
from shared.erasures.thumbnails import Thumbnails

__all__ = [
    "Discovery",
    "ErasureSeals",
    "ErasureStore",
    "Erasures",
    "FindEvidence",
    "Groups",
    "Thumbnails",
]
