"""October reviewed as the DAG's tasks review it; every figure taken again from the raw rows by another way."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clo_ops.findings import Finding, Status
from clo_ops.ledger import AlertRow
from clo_ops.orchestration import hours, performance
from clo_ops.orchestration.availability import availability_in, availability_of
from clo_ops.orchestration.recording import carry_out
from clo_ops.reports.again import kept
from clo_ops.rules import looks, waits
from clo_ops.rules.periods import Period
from clo_ops.rules.through_month import days_of
from demo.stack.ports import free_port
from tests.integration.performance.october import (
    AT,
    DAY,
    FRIDAY,
    GAP,
    HOUR,
    MINUTE,
    NOVEMBER,
    OCTOBER,
    WINDOW,
    Office,
    away,
)
from tests.integration.reports.browser import CHROMIUM, fits

BETWEEN = (OCTOBER, NOVEMBER)


def one_of(findings: list[Finding], subject: str = "", name: str = "") -> Finding:
    found = [one for one in findings if subject in one.subject and name in one.name]
    assert len(found) == 1, [(one.name, one.subject, one.message) for one in findings]
    return found[0]


def kpi(findings: list[Finding], name: str) -> Finding:
    (found,) = [one for one in findings if one.labels.get("kpi") == name]
    return found


def minute_by_minute() -> tuple[int, int, int, int]:
    """Observed, down, and both outside of the announced window, in minutes: by looking at every minute of the month."""
    seen = down = seen_outside = down_outside = 0
    at = OCTOBER
    while at < NOVEMBER:
        if not GAP[0] + 5 * MINUTE <= at < GAP[1]:  # the last look before the gap speaks for ten minutes
            outside = not WINDOW[0] <= at < WINDOW[1]
            seen, down = seen + 1, down + away(at)
            seen_outside, down_outside = seen_outside + outside, down_outside + (outside and away(at))
        at += MINUTE
    return seen, down, seen_outside, down_outside


def test_availability_is_that_of_every_minute_counted(office: Office, review: dict[str, list[Finding]]) -> None:
    found = availability_of(office.ledger, office.policy, *BETWEEN)
    seen, down, seen_outside, down_outside = minute_by_minute()
    assert found.observed / MINUTE == pytest.approx(seen, abs=6)
    assert found.down / MINUTE == pytest.approx(down, abs=0.1)
    assert found.unexplained == timedelta()
    assert found.whole == pytest.approx(100 * (1 - down / seen), abs=0.02)
    assert found.unannounced == pytest.approx(100 * (1 - down_outside / seen_outside), abs=0.02)
    judged = kpi(review["M2-08"], "availability")
    assert judged.status is Status.FAIL
    assert float(judged.labels["now"]) == found.unannounced


def test_three_days_nobody_looked_are_not_observed(office: Office, review: dict[str, list[Finding]]) -> None:
    found = availability_of(office.ledger, office.policy, *BETWEEN)
    assert found.not_observed / HOUR == pytest.approx(72, abs=0.2)
    assert "not observed" in one_of(review["M2-08"], name="error budget").message
    whole = availability_of(office.ledger, office.policy, *GAP)
    assert whole.whole is None or whole.observed <= 10 * MINUTE


def test_an_outage_ends_when_a_look_finds_an_answer_not_when_somebody_closes_it(office: Office) -> None:
    found = availability_of(office.ledger, office.policy, *BETWEEN)
    lengths = [(one.ends - one.starts) / MINUTE for one in found.outages if one.ends]
    assert lengths == pytest.approx([50, 31, 20], abs=5)


def test_a_window_told_too_late_is_not_announced(office: Office) -> None:
    late = WINDOW[0] + 7 * DAY
    found = availability_of(office.ledger, office.policy, late, late + 2 * HOUR)
    assert found.observed_announced == timedelta()
    told = availability_of(office.ledger, office.policy, *WINDOW)
    assert told.observed_announced == 4 * HOUR and told.unannounced is None


def test_what_users_felt_is_the_sum_of_the_raw_rows(office: Office, review: dict[str, list[Finding]]) -> None:
    raw = dict(
        office.rows(
            "select metric || coalesce(labels->>'le', ''), sum(value) from clo_ops.measurements"
            " where metric like 'http.server.request.%%' and at >= %s and at < %s group by 1",
            *BETWEEN,
        )
    )
    asked = raw["http.server.request.count"]
    response, errors = (kpi(review["M2-03"], name) for name in ("response_time", "error_rate"))
    assert float(response.labels["now"]) == pytest.approx(1000 * raw["http.server.request.seconds"] / asked)
    assert float(errors.labels["now"]) == pytest.approx(100 * raw["http.server.request.failed"] / asked)
    low, high = raw["http.server.request.bucket0.1"], raw["http.server.request.bucket0.25"]
    p95 = 100 + 150 * (0.95 * asked - low) / (high - low)
    assert one_of(review["M2-03"], name="p95").actual == f"{p95:,.1f} ms"
    satisfied, failed = raw["http.server.request.bucket0.5"], raw["http.server.request.failed"]
    at_two = raw["http.server.request.bucket1.0"] + (2 - 1) / 1.5 * (
        raw["http.server.request.bucket2.5"] - raw["http.server.request.bucket1.0"]
    )
    apdex = (satisfied - failed + (at_two - satisfied) / 2) / asked
    assert one_of(review["M2-03"], name="Apdex").actual == f"{apdex:.3f}"


def test_a_month_with_business_days_nobody_counted_is_no_green_one(review: dict[str, list[Finding]]) -> None:
    response = kpi(review["M2-03"], "response_time")
    assert response.labels["verdict"] == "met"
    assert response.status is Status.WARN
    assert "3 of " in response.message and "business days without a snapshot, the first 2026-10-13" in response.message


def test_calculations_by_size_are_those_of_the_tables(office: Office, review: dict[str, list[Finding]]) -> None:
    raw = office.business(
        "select deal_id, count(*), avg(extract(epoch from finished_at - started_at))::float from calculation_jobs"
        " where status = 'completed' and requested_by <> 'clo-ops-probe' and finished_at >= %s and finished_at < %s"
        " group by deal_id order by deal_id desc",
        *BETWEEN,
    )
    (small, few, small_mean), (large, many, large_mean) = raw
    assert (small, large) == ("SMALL", "LARGE")
    whole = (few * small_mean + many * large_mean) / (few + many)
    judged = kpi(review["M2-05"], "calculation_time")
    assert float(judged.labels["now"]) == pytest.approx(whole)
    assert judged.status is Status.PASS
    table = json.loads(office.read(office.run("october"), "M2-05-tables.json"))[0]
    assert [(row[0], row[1]) for row in table["rows"]] == [
        ("all portfolios", str(few + many)),
        ("below 100 positions", str(few)),
        ("200 to 399 positions", str(many)),
    ]
    assert "result SHA-256" in table["source"]


def test_large_portfolios_do_not_hide_behind_small_ones(review: dict[str, list[Finding]]) -> None:
    assert one_of(review["M2-05"], "200 to 399 positions", "mean time").status is Status.WARN
    assert one_of(review["M2-05"], "below 100 positions", "mean time").status is Status.PASS
    failed = one_of(review["M2-05"], name="failed")
    assert failed.status is Status.WARN and "3 of " in failed.actual


def test_reports_satisfaction_and_work_per_role(office: Office, review: dict[str, list[Finding]]) -> None:
    ((mean, count),) = office.business(
        "select avg(extract(epoch from finished_at - started_at))::float, count(*) from report_jobs"
        " where requested_by <> 'clo-ops-probe' and finished_at < %s",
        NOVEMBER,
    )
    assert float(kpi(review["M2-06"], "report_time").labels["now"]) == pytest.approx(mean)
    ((rated,),) = office.business("select avg(rating)::float from feedback where at < %s", NOVEMBER)
    satisfied = kpi(review["M2-03"], "user_satisfaction")
    assert float(satisfied.labels["now"]) == rated and satisfied.status is Status.FAIL
    analyst = one_of(review["M2-07"], "analyst")
    ((made,),) = office.business(
        "select count(*) from calculation_jobs where status = 'completed' and requested_by = 'ana'"
        " and finished_at >= %s and finished_at < %s",
        *BETWEEN,
    )
    assert analyst.actual == f"{made + count:.3g}"  # one analyst had a session in October; the other was on leave
    assert one_of(review["M2-07"], "viewer").actual == "0"


def test_bottlenecks_are_ranked_by_the_share_of_the_time(office: Office, review: dict[str, list[Finding]]) -> None:
    found = {one.labels.get("kind of bottleneck", ""): one for one in review["M2-02"]}
    ((waiting, seen),) = office.rows(
        "select sum(value) filter (where labels->>'event' like 'Lock%%'), count(*) filter (where metric = %s)"
        " from clo_ops.measurements where metric like 'postgresql.wait.%%' and at >= %s and at < %s",
        "postgresql.wait.active",
        *BETWEEN,
    )
    assert float(found["wait event"].labels["share"]) == pytest.approx(100 * waiting / seen)
    assert found["statement"].subject == "SELECT * FROM slow_one"
    # 30 days between the first and the last snapshot, an hour busy between each two.
    assert float(found["statement"].labels["share"]) == pytest.approx(100 / 24, rel=1e-3)
    ((above, all_of_them),) = office.rows(
        "select count(*) filter (where value > 70), count(*) from clo_ops.measurements"
        " where metric = 'system.cpu.utilization' and at >= %s and at < %s",
        *BETWEEN,
    )
    assert float(found["resource"].labels["share"]) == pytest.approx(100 * above / all_of_them, rel=0.02)
    shares = [float(one.labels["share"]) for one in review["M2-02"] if "share" in one.labels]
    assert shares == sorted(shares, reverse=True)
    assert "endpoint" not in found


def test_headroom_is_what_is_left_in_the_worst_hour(review: dict[str, list[Finding]]) -> None:
    cpu = one_of(review["M2-04"], "system.cpu.utilization", "headroom")
    assert cpu.status is Status.PASS
    assert float(cpu.labels["left"]) == pytest.approx(85 - 75, abs=1.5)
    assert [one.status for one in review["M2-04"] if one.subject == "system.memory.utilization host=app1"] == [
        Status.UNKNOWN
    ]
    peak = kpi(review["M2-04"], "peak_utilisation")
    assert peak.labels["verdict"] == "no target" and peak.status is Status.PASS


def test_each_kpi_month_over_month(office: Office, review: dict[str, list[Finding]]) -> None:
    assert [one.labels["kpi"] for one in review["M2-01"] if one.name == "KPI"] == list(office.policy.kpis)
    time = kpi(review["M2-01"], "calculation_time")
    ((before,),) = office.business(
        "select avg(extract(epoch from finished_at - started_at))::float from calculation_jobs where"
        " status = 'completed' and requested_by <> 'clo-ops-probe' and finished_at >= %s and finished_at < %s",
        OCTOBER - 30 * DAY,
        OCTOBER,
    )
    assert float(time.labels["before"]) == pytest.approx(before)
    # A missed target is red once, where it is judged.
    assert {one.status for one in review["M2-01"]} <= {Status.PASS, Status.WARN, Status.NOT_APPLICABLE}


def test_the_report_is_kept_and_mailed(office: Office, review: dict[str, list[Finding]]) -> None:
    run = office.run("october")
    html = office.read(run, "performance-review.html").decode()
    for part in ("Performance review of October 2026", "slow_one", "Lock: transactionid", "not observed", "LARGE"):
        assert (part in html) is (part != "LARGE")  # portfolios are told by size, not by name
    content = json.loads(office.read(run, "performance-review.json"))
    assert [section["manual"].split(",")[0] for section in content["sections"]] == [
        "M2-01", "M2-08", "M2-03", "M2-05", "M2-06", "M2-07", "M2-02", "M2-04"
    ]  # fmt: skip
    assert all(section["tables"] for section in content["sections"])
    assert office.read(run, "performance-review.pdf").startswith(b"%PDF")
    mails = office.rows("select subject, text from clo_ops.outbox where subject like '%%Performance review%%'")
    assert mails[0][0] == "[CLO Ops] RED Performance review of October 2026"
    assert "KPIs with a target are met" in mails[0][1]


def test_its_curves_are_kept_beside_their_figures(office: Office, review: dict[str, list[Finding]]) -> None:
    content = json.loads(office.read(office.run("october"), "performance-review.json"))
    plots = {one["manual"].split(",")[0]: one["plots"] for one in content["sections"]}
    assert {name: len(found) for name, found in plots.items() if found} == {
        "M2-08": 1, "M2-03": 2, "M2-05": 1, "M2-06": 1, "M2-04": 1
    }  # fmt: skip
    kept_files = {f"SHA-256 {one.sha256}" for one in office.ledger.evidence(office.run("october").ledger_run)}
    for one in (plot for found in plots.values() for plot in found):
        assert one["evidence"] in kept_files and not one["caption"].endswith(".svg")
    html = office.read(office.run("october"), "performance-review.html").decode()
    assert html.count("<svg") == 6


@pytest.mark.skipif(CHROMIUM is None, reason="a browser looks at the page only where there is one")
def test_the_review_fits_a_phone_and_a_desk(office: Office, review: dict[str, list[Finding]], tmp_path: Path) -> None:
    fits(office.read(office.run("october"), "performance-review.html").decode(), tmp_path)


def test_the_curves_of_a_run_again_are_the_same_bytes(office: Office, review: dict[str, list[Finding]]) -> None:
    def curves() -> dict[str, str]:
        found = office.ledger.evidence(office.run("october").ledger_run)
        return {one.name: one.sha256 for one in found if one.name.startswith("M2-08-") and one.name.endswith(".svg")}

    before = curves()
    office.judged("october", "M2-08")
    assert curves() == before and before


def test_the_days_drawn_add_up_to_the_month(office: Office) -> None:
    whole = availability_of(office.ledger, office.policy, *BETWEEN)
    days = availability_in(office.ledger, office.policy, list(days_of(Period(*BETWEEN))))
    assert len(days) == 31
    for figure in ("observed", "down", "observed_announced", "down_announced", "unexplained"):
        assert sum((getattr(one, figure) for one in days), timedelta()) == getattr(whole, figure)
    assert [one.since.day for one in days if one.down] == [4, 20, 22]


def test_the_same_report_is_made_again_to_the_byte(office: Office, review: dict[str, list[Finding]]) -> None:
    again = kept(office.ledger, "performance-review", AT.date(), office.run("october").connections.evidence().read)
    assert again.same()
    stamps = [again.made_at, again.made_at + HOUR]
    pages = [again.sheet.as_html(at).split(f"Report made {at:%Y-%m-%d %H:%M:%S} UTC.") for at in stamps]
    assert pages[0] == pages[1] and len(pages[0]) == 2


def test_the_week_and_the_scorecard(
    office: Office, review: dict[str, list[Finding]], week: dict[str, list[Finding]], card: list[Finding]
) -> None:
    available = kpi(week["WF-09"], "availability")
    assert available.labels["verdict"] == "missed" and available.status is Status.WARN
    assert {one.labels["kpi"] for one in week["WF-10"] if one.name == "KPI"} == {
        "response_time", "error_rate", "calculation_time", "report_time"
    }  # fmt: skip
    run = office.run("friday", FRIDAY, "weekly_friday_compliance")
    assert "away at 20 10:00" in office.read(run, "availability-report.html").decode()
    assert [one.labels["verdict"] for one in card if one.name == "KPI"] == [
        one.labels["verdict"] for one in review["M2-01"] if one.name == "KPI"
    ]


def test_no_source_no_data_and_not_known_are_three_things(office: Office) -> None:
    kpis = dict(office.policy.kpis)
    kpis["report_time"] = kpis["report_time"].model_copy(update={"source": "none"})
    kpis["user_productivity"] = kpis["user_productivity"].model_copy(update={"source": "attested"})
    other = replace(office, policy=office.policy.model_copy(update={"kpis": kpis}))
    with office.cluster.connect("clo", "clo_app") as connection:
        connection.execute("revoke select on feedback from clo_ops_reader")
        found = {one.labels["kpi"]: one for one in other.judged("other", "RP-04")["RP-04"] if one.name == "KPI"}
        connection.execute("grant select on feedback to clo_ops_reader")
    assert (found["report_time"].actual[:9], found["report_time"].status) == ("no source", Status.NOT_APPLICABLE)
    assert found["user_productivity"].actual.startswith("no source")
    assert (found["user_satisfaction"].actual[:9], found["user_satisfaction"].status) == ("not known", Status.UNKNOWN)
    assert "permission denied" in found["user_satisfaction"].actual
    empty = other.judged("empty", "RP-04", at=AT - 365 * DAY)["RP-04"]
    told = {one.labels["kpi"]: one.actual for one in empty if one.name == "KPI"}
    assert told["availability"] == "no data: nobody looked in this time"
    assert all(told[name].startswith("no data") for name in ("response_time", "calculation_time", "user_satisfaction"))


def test_a_database_that_does_not_answer_is_unknown_and_the_ledgers_figures_stand(office: Office) -> None:
    away_now = replace(office, postgres={**office.postgres, "port": free_port()})
    found = performance.scorecard(away_now.run("away"))
    assert kpi(found, "calculation_time").status is Status.UNKNOWN
    assert kpi(found, "availability").labels["verdict"] == "missed"
    assert one_of(performance.calculations(away_now.run("away")), name="could not ask").status is Status.UNKNOWN


def test_every_five_minutes_the_record_says_whether_the_service_answered(office: Office) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    rows = [
        AlertRow("response_time", {"endpoint": "health"}, {}, "ok", 30.0, now),
        AlertRow("database_connections", {"pool": "server"}, {}, "unknown", None, now),
    ]
    office.ledger.record_alerts(rows)
    run = office.run("silent watch", now, "business_hours_monitoring")
    carry_out(run, ["AL-04"], hours.answers)
    assert not list(office.ledger.measurements(looks.METRIC, now - HOUR, now + HOUR))
    office.ledger.beat("watch", now)
    carry_out(office.run("watch", now, "business_hours_monitoring"), ["AL-04"], hours.answers)
    found = {one.labels.get("part", ""): one.value for one in office.ledger.measurements(looks.METRIC, now, now + HOUR)}
    assert found == {"": 0.0, "response_time health": 100.0, "database_connections server": 0.0}
    carry_out(office.run("waits", now, "business_hours_monitoring"), ["AL-07"], hours.connections)
    (sampled,) = office.ledger.measurements(waits.ACTIVE, now, now + HOUR)
    assert sampled.value >= 0
