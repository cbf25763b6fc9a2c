"""Rescans: stored assets are scanned again, the oldest verdicts first, within a day's budget."""

from shared.rescans.schedule import Schedule
from shared.rescans.service import Rescans

__all__ = ["Rescans", "Schedule"]
