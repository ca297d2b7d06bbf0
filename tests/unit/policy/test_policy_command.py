"""``python -m clo_ops.policy``, what ``make policy`` runs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clo_ops.policy.__main__ import main
from clo_ops.policy.paths import INCLUDE


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    written = capsys.readouterr()
    return code, written.out, written.err


def line(text: str, start: str) -> list[str]:
    """The words of the first line that begins with ``start``."""
    return next(one.split() for one in text.splitlines() if one.strip().startswith(start))


def test_every_figure_with_unit_line_and_resolution(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "--mode", "demo", "--month", "2026-12")
    assert (code, err) == (0, "")
    assert line(out, "cpu.warning.above") == ["cpu.warning.above", "70", "percent", "L323-L325", "D46"]
    assert line(out, "connections.warning_percent")[1:] == ["75", "%", "L19,", "L350-L352", "D47"]
    assert line(out, "classes.audit_logs.keep")[1:] == ["7", "years", "L97,", "L361", "D05,", "D58"]
    assert line(out, "night.starts")[1:3] == ["18:00", "UTC"]
    assert line(out, "DM-01")[-3:] == ["daily_morning_startup", "yes", "L12-L13"]


def test_the_calendar_of_a_month(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "--mode", "demo", "--month", "2026-12")
    calendar = out.partition("Calendar of 2026-12")[2]
    first_sunday = [one.split() for one in calendar.splitlines() if one.strip().startswith("Sun 06 Dec")]
    assert ["Sun", "06", "Dec", "02:00", "06:00", "maintenance", "maintenance_monthly"] in first_sunday
    assert not [one for one in first_sunday if one[-1] == "maintenance_weekly" and "02:00" in one]
    assert "holiday: Christmas Day" in calendar
    assert "maintenance_monthly stands in for" in calendar
    assert [one for one in out.splitlines() if "business_hours_alerts" in one and "31 days" in one]


def test_json_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "--mode", "demo", "--month", "2027-02", "--json")
    told = json.loads(out)
    assert (told["month"], len(told["digest"])) == ("2027-02", 64)
    assert told["policy"]["severities"]["levels"]["P1"]["response"] == "15 min"
    mornings = [one for one in told["calendar"] if one["cadence"] == "daily_morning_startup"]
    assert len(mornings) == 28
    assert mornings[0]["last_done_by"] == "2027-02-01T08:30:00+00:00"
    assert told["notes"]["2027-02-15"] == "holiday: Washington's Birthday"


def test_the_next_month_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--mode", "demo", "--json")[0] == 0


def test_an_invalid_policy_exits_2_and_says_why(site: Any, capsys: pytest.CaptureFixture[str]) -> None:
    site.edit("retention.yaml", "keep: 7 years", "keep: 90 days")
    code, out, err = run(capsys, "--mode", "demo", "--directory", str(site.directory))
    assert (code, out) == (2, "")
    assert "classes.audit_logs.keep: given 90 days, allowed: 7 years or longer (L361, D05, D58)" in err
    assert "Traceback" not in err


def test_production_mode_refuses_the_placeholders_that_are_shipped(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "--mode", "production", "--directory", str(INCLUDE / "policy"))
    assert code == 2
    assert "+1-555-EMERGENCY" in err


@pytest.mark.parametrize("arguments", [["--month", "2026-13"], ["--month", "soon"], ["--mode", "prod"]])
def test_arguments_that_are_none(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "--directory" in capsys.readouterr().out
