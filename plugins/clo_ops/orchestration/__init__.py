"""Where asking, judging, recording and telling become Airflow tasks."""

from typing import TYPE_CHECKING

from clo_ops import later

if not TYPE_CHECKING:
    __getattr__ = later.submodules(__name__)
