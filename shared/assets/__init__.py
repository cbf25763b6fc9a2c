"""Assets: the files taken in, and their erasure."""

from shared.assets.rules import Asset, AssetFilter
from shared.assets.service import ASSETS, Assets, asset_row, record_row

__all__ = [
    "ASSETS",
    "Asset",
    "AssetFilter",
    "Assets",
    "asset_row",
    "record_row",
]
