"""Erasure requests: asked for, discovered, decided on, approved, carried out and verified."""

from shared.erasures.discovery import Discovery
from shared.erasures.service import Erasures
from shared.erasures.store import ErasureStore
from shared.erasures.thumbnails import Thumbnails

__all__ = ["Discovery", "ErasureStore", "Erasures", "Thumbnails"]
