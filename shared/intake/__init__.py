"""Upload intake: every upload is inspected, and filed or quarantined."""

from shared.intake.assets import ASSETS, SUBJECTS, Assets, asset_row, subject_partition
from shared.intake.declarations import Declarations
from shared.intake.identifiers import index_keys
from shared.intake.rules import INCOMING, Asset, check_path
from shared.intake.service import Intake

__all__ = [
    "ASSETS",
    "INCOMING",
    "SUBJECTS",
    "Asset",
    "Assets",
    "Declarations",
    "Intake",
    "asset_row",
    "check_path",
    "index_keys",
    "subject_partition",
]
