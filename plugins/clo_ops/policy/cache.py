"""The cache: which keys may go, and when its memory is given back (WM-04, WM-05)."""

from __future__ import annotations

from clo_ops.policy.base import Cited


class Cache(Cited):
    """Section ``cache`` of maintenance.yaml."""
