"""Erasure requests: find, preview, approve, erase in batches, complete.

Source: GDPR Art. 17.
"""

from shared.erasures.rules import Erasure
from shared.erasures.service import Erasures
from shared.erasures.store import ErasureStore

__all__ = ["Erasure", "ErasureStore", "Erasures"]
