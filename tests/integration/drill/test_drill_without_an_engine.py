"""``make dr-drill`` where no Docker engine is: it says what is missing and what else there is, and chooses nothing."""

from __future__ import annotations

import pytest

from demo import drill


@pytest.fixture
def without(monkeypatch, tmp_path):
    """An engine nobody made; ``make`` and Python are found, docker is not."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    return tmp_path / "state"


def started(state) -> list[str]:
    return sorted(path.name for path in state.iterdir() if path.name != "launch.lock")


def test_an_engine_that_does_not_answer_is_said_and_local_is_offered(without, capsys):
    assert drill.main(["--state", str(without)]) == 2
    said = capsys.readouterr().err
    assert "the drill could not be started: " in said
    assert "no.sock" in said
    assert "make dr-drill PLACE=local" in said and "its isolation is weaker" in said
    assert started(without) == [], "nothing was started, least of all in another place"


def test_a_machine_without_docker_is_told_what_to_install(without, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert drill.main(["--state", str(without)]) == 2
    said = capsys.readouterr().err
    assert "no docker program on PATH" in said and "apt-get install docker.io" in said
    assert "make dr-drill PLACE=local" in said
    assert started(without) == []


def test_what_the_product_refuses_is_a_sentence_too(without, capsys, monkeypatch, tmp_path):
    (tmp_path / "policy").mkdir()
    monkeypatch.setenv("CLO_OPS_POLICY", str(tmp_path / "policy"))
    monkeypatch.setattr(drill.engine, "ensure", lambda: None)
    assert drill.main(["--state", str(without)]) == 2
    assert "The policy in" in capsys.readouterr().err
    assert started(without) == []
