"""The switch board: breaks the demo system on purpose, and puts it back exactly as it was."""

from demo.switches.board import BoardError, UnknownFault, status, switch_off, switch_off_all, switch_on
from demo.switches.catalogue import FAULTS, Fault

__all__ = ["FAULTS", "BoardError", "Fault", "UnknownFault", "status", "switch_off", "switch_off_all", "switch_on"]
