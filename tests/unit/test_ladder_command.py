"""``make ladder``: who would get what and when, for a person at a terminal."""

from __future__ import annotations

import re

import pytest

from clo_ops.escalation.ladder import main


def test_it_prints_every_rung_notice_and_clock_in_order_of_time(capsys):
    assert main(["--severity", "p1", "--at", "2026-11-23T08:00"]) == 0
    said = capsys.readouterr().out
    for line in (
        r"Mon 23 Nov 08:00  \+0:00 h  management 1: System Administrator .*<system-administrator@your-domain.com>",
        r"Mon 23 Nov 08:15  \+0:15 h  RESPONSE DUE",
        r"Mon 23 Nov 08:15  \+0:15 h  management 2: IT Manager .*<it-manager@your-domain.com>",
        r"Mon 23 Nov 08:30  \+0:30 h  first status update due",
        r"Mon 23 Nov 12:00  \+4:00 h  RESOLUTION DUE",
    ):
        assert re.search(line, said), line
    times = re.findall(r"\+(\d+):(\d\d) h", said)
    assert len(times) == 17
    assert times == sorted(times, key=lambda one: int(one[0]) * 60 + int(one[1]))


@pytest.mark.parametrize("given", [["--severity", "high"], ["--at", "tomorrow"]])
def test_what_it_does_not_know_is_refused_with_what_is_allowed(given, capsys):
    with pytest.raises(SystemExit):
        main(given)
    assert re.search(r"P1, P2, P3, P4|2026-11-23T08:00", capsys.readouterr().err)
