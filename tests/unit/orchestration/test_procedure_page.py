"""The page of a DAG's procedures: every word of it comes from somewhere, and a figure that is not there is told."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from clo_ops.findings import Finding
from clo_ops.orchestration import procedure_page as pages
from clo_ops.orchestration.blueprint import manual_page
from clo_ops.orchestration.procedure import procedure
from clo_ops.orchestration.run import Run
from clo_ops.policy import load_policy

POLICY = load_policy()
WORDS = {
    "from": "PostgreSQL's own view",
    "pass": "All is well.",
    "warn": "Never.",
    "fail": "Over it.",
    "unknown": "Silence.",
}


@pytest.fixture
def page(monkeypatch):
    """``page(figures)`` is the page of a DAG with one procedure whose words name these figures."""

    @manual_page
    def daily_morning_startup() -> None:
        @procedure("DM-05")
        def connection_pool(run: Run) -> list[Finding]:
            """DM-05: connections by state."""

    def render(*figures: str, **words: str) -> str:
        said = pages.Words.model_validate({**WORDS, **words, "figures": figures})
        monkeypatch.setattr(pages, "words_of", lambda _: {"DM-05": said})
        return pages.procedure_page(daily_morning_startup, POLICY)

    return render


def test_it_says_what_is_asked_what_each_status_means_and_what_to_do(page):
    text = page()
    entry = POLICY.procedures["DM-05"]
    assert "## DM-05 Connection pool\n\nConnections by state.\n" in text
    for line in ("**Asks:** PostgreSQL's own view", "**Fail:** Over it.", "**Unknown:** Silence.", entry.first_action):
        assert line in text
    assert "[DM-05](#dm-05-connection-pool)" in text
    assert "DM-06" not in text


def test_figures_are_the_policys_with_unit_and_source(page):
    text = page("morning.connections", "thresholds.memory.critical.above", "severities.levels.P1.response")
    assert "| `morning.connections.warning_percent` | 75 % | L19, L350-L352 | D47 |" in text
    assert "| `thresholds.memory.critical.above` | 95 percent | L327-L329 | D46 |" in text
    assert "| `severities.levels.P1.response` | 15 min |" in text


def test_a_figure_the_policy_does_not_have_is_told(page):
    with pytest.raises(LookupError, match=r"no morning\.conections: nothing is called conections"):
        page("morning.conections")


def test_words_left_out_or_misspelt_are_refused():
    with pytest.raises(ValidationError, match="unknown"):
        pages.Words.model_validate({name: said for name, said in WORDS.items() if name != "unknown"})
    with pytest.raises(ValidationError, match="fials"):
        pages.Words.model_validate({**WORDS, "fials": "x"})
