"""Backup audits: the declared backups compared with the jobs of the recovery vaults."""

from shared.backups.rules import Report, Summary
from shared.backups.service import BackupAudits

__all__ = ["BackupAudits", "Report", "Summary"]
