"""Assets: the files taken in, with a place in the subject index, and the erasure."""

from shared.assets.name_matching import index_keys
from shared.assets.rules import Asset, AssetFilter
from shared.assets.service import ASSETS, SUBJECTS, Assets, asset_row, subject_partition

__all__ = [
    "ASSETS",
    "SUBJECTS",
    "Asset",
    "AssetFilter",
    "Assets",
    "asset_row",
    "index_keys",
    "subject_partition",
]
