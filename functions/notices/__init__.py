"""Notices: from the queues, and for tenants, contacts and staff over HTTP."""
