"""Act: take a backup with its manifest, remove what rotation says is due. Both safe to kill at any instant."""

from typing import TYPE_CHECKING

from clo_ops import later

if not TYPE_CHECKING:
    __getattr__ = later.submodules(__name__)
