"""Updates of the CLO system: packages of a host, releases of an application; each with its way back."""

from typing import TYPE_CHECKING

from clo_ops import later

if not TYPE_CHECKING:
    __getattr__ = later.submodules(__name__)
