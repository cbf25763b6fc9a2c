"""Intake: every upload is inspected, and filed or quarantined."""

from shared.intake.rules import check_path
from shared.intake.service import Intake
from shared.intake.uploads import Uploads

__all__ = ["Intake", "Uploads", "check_path"]
