"""Backup audits: what was declared to be backed up against what the recovery vaults report."""

from shared.backups.rules import Report, Summary
from shared.backups.service import BackupAudits

__all__ = ["BackupAudits", "Report", "Summary"]
