"""Ask. A probe puts a question to the CLO system and returns measurements; it decides nothing."""

from typing import TYPE_CHECKING

from clo_ops import later

if not TYPE_CHECKING:
    __getattr__ = later.submodules(__name__)
