"""Where the data of the project lies: include/ beside plugins/, unless CLO_OPS_INCLUDE says otherwise."""

from __future__ import annotations

import os
from pathlib import Path

INCLUDE = Path(os.environ.get("CLO_OPS_INCLUDE", Path(__file__).resolve().parents[3] / "include"))
