"""Maintenance of the CLO system: plans, and how they are applied."""

from typing import TYPE_CHECKING

from clo_ops import later

if not TYPE_CHECKING:
    __getattr__ = later.submodules(__name__)
