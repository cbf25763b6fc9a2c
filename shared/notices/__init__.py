"""Notices: told to the contacts of tenants and of the stamp, each once, by mail and webhook.

See docs/explanation/notices.md.
"""

from shared.notices.contacts import Contacts
from shared.notices.delivering import Deliverer
from shared.notices.service import Notices

__all__ = ["Contacts", "Deliverer", "Notices"]
