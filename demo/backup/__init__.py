"""The demo's nightly backup: production's own code, with a history for a demo that has none yet."""

import sys
from pathlib import Path

# Run from the checkout by hand, the package of the plugins folder is not on the path yet.
PLUGINS = str(Path(__file__).resolve().parents[2] / "plugins")
if PLUGINS not in sys.path:
    sys.path.append(PLUGINS)

from demo.backup.history import seed_history  # noqa: E402
from demo.backup.job import BackupFailed, take_backup  # noqa: E402

__all__ = ["BackupFailed", "seed_history", "take_backup"]
