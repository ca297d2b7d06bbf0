"""The demo's nightly backup: a pg_dump archive inside one exported snapshot, with its manifest beside it."""

from demo.backup.history import seed_history
from demo.backup.job import BackupFailed, take_backup

__all__ = ["BackupFailed", "seed_history", "take_backup"]
