"""A module that is imported when something of it is first used.

Airflow reads each DAG file every few seconds, in a fresh process; what the tasks do is needed only where a task runs.
With ``__getattr__ = later.submodules(__name__)`` in a package, ``from package import name`` costs nothing until
``name.something`` is asked for. The import itself is Python's own, with its lock: threads see a whole module or none.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


class Later(ModuleType):
    """Stands for the module of its name and passes everything on to it."""

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        """The module's own: who changes something there and puts it back (pytest's monkeypatch) finds what was."""
        return vars(importlib.import_module(self.__name__))

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self.__name__), name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(importlib.import_module(self.__name__), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(importlib.import_module(self.__name__), name)

    def __dir__(self) -> list[str]:
        return dir(importlib.import_module(self.__name__))


def submodules(package: str) -> Callable[[str], ModuleType]:
    """A package's ``__getattr__``: its modules come later. Raises AttributeError for what is none of them."""

    def found(name: str) -> ModuleType:
        whole = f"{package}.{name}"
        if whole in sys.modules:
            return sys.modules[whole]
        if name.startswith("__") or importlib.util.find_spec(whole) is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return Later(whole)

    return found
