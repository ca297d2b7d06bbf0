"""Act: records that have been kept for as long as policy says leave, into an archive or for good."""

from typing import TYPE_CHECKING

from clo_ops import later

if not TYPE_CHECKING:
    __getattr__ = later.submodules(__name__)
