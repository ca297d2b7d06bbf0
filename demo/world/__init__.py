"""The demo CLO world: a consistent CLO book and weeks of operating history, made from a seed.

``build`` loads it, ``prepare`` makes the roles and extensions a superuser has to make, ``fingerprints`` says what a
world holds, table by table. On the command line: ``python -m demo.world --help``.
"""

from demo.world.build import Built, build
from demo.world.database import fingerprints, prepare
from demo.world.people import Credential
from demo.world.plan import Plan

__all__ = ["Built", "Credential", "Plan", "build", "fingerprints", "prepare"]
