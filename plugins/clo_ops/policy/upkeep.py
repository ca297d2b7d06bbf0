"""Statistics and indexes: when a table is stale, when an index is worth a rebuild (WM-01, WM-02)."""

from __future__ import annotations

from clo_ops.policy.base import Cited


class Statistics(Cited):
    """Section ``statistics`` of maintenance.yaml."""


class Indexes(Cited):
    """Section ``indexes`` of maintenance.yaml."""
