"""Judge. Pure functions from measurements and policy to findings: no I/O, no Airflow, no clock of their own."""

from typing import TYPE_CHECKING

from clo_ops import later

if not TYPE_CHECKING:
    __getattr__ = later.submodules(__name__)
