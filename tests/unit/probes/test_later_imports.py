"""A module stood in for is not loaded by who imports it, works when it is used, and is nobody's afterwards."""

from __future__ import annotations

import sys

from clo_ops.probes.later import later

NAME = "xdrlib_of_nobody"


def test_a_module_is_loaded_when_it_is_first_used(tmp_path, monkeypatch):
    (tmp_path / f"{NAME}.py").write_text("ANSWER = 42\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with later(NAME, "json"):
        stand_in = __import__(NAME)
        assert "ANSWER" not in vars(stand_in)
        assert sys.modules["json"].loads("1") == 1, "what is loaded already stays what it is"
    assert NAME not in sys.modules
    assert stand_in.ANSWER == 42
    assert vars(sys.modules[NAME])["ANSWER"] == 42
    monkeypatch.delitem(sys.modules, NAME)
