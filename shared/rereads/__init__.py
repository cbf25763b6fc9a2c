"""Rereads: records of stored assets are made anew, from the file or under a newer data key."""

from shared.rereads.service import Rereads

__all__ = ["Rereads"]
