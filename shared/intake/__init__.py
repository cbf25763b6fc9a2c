"""Intake: every upload is inspected, and filed or quarantined."""

from shared.intake.declarations import Declarations
from shared.intake.rules import check_path
from shared.intake.service import Intake

__all__ = ["Declarations", "Intake", "check_path"]
