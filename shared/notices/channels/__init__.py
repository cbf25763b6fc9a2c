"""Channels: the ways by which a notice reaches a contact, one package each."""

from shared.notices.channels.base import Channel, HandOver, Parcel

__all__ = ["Channel", "HandOver", "Parcel"]
