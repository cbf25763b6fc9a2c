"""Upload intake: every upload is inspected, and filed or quarantined."""

from shared.intake.identifiers import index_keys
from shared.intake.rules import INCOMING, Asset, check_path
from shared.intake.service import ASSETS, SUBJECTS, Intake, asset_row, subject_partition

__all__ = [
    "ASSETS",
    "INCOMING",
    "SUBJECTS",
    "Asset",
    "Intake",
    "asset_row",
    "check_path",
    "index_keys",
    "subject_partition",
]
