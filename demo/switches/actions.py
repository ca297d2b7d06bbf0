"""What an action-type fault can do: plan (changes nothing), do, undo (at any point, any number of times)."""

from __future__ import annotations

from typing import Any, Protocol

from demo.switches.places import Places

Memory = dict[str, Any]


class Action(Protocol):
    def plan(self, places: Places) -> Memory:
        """What undo will need to know; JSON."""

    def do(self, places: Places, memory: Memory) -> None:
        """Break it."""

    def undo(self, places: Places, memory: Memory) -> None:
        """Put it back, whether ``do`` has run wholly, partly or not at all."""
