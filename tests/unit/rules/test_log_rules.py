"""What a line says and what is left of it; a day's figures; a week's trends; a month's review."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clo_ops.findings import Answer, Finding, Measurement, Status
from clo_ops.policy import load_policy
from clo_ops.policy.logs import Fields, LogFile, Logs
from clo_ops.rules import log_day, log_review, log_trends
from clo_ops.rules.log_lines import LogRequest, read_line, signature
from clo_ops.rules.log_tally import LogDay, Marked, Reader, bucket, day_of, percentile

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = date(2026, 11, 23)
POLICY = load_policy()
ENDS = time(18, tzinfo=UTC)
SECRETS = ("alice", "bank.eu", "10.0.0.1", "4711", "LX0001", "secret", "Magnetar", "/var/lib", "3f786850e387550f")


@pytest.mark.parametrize(
    "message",
    [
        'password authentication failed for user "alice"',
        "login refused for alice from 10.0.0.1:4711",
        "user=alice@bank.eu logged in",
        "user alice logged in",
        "duration: 4711.5 ms  statement: SELECT * FROM loans WHERE note = 'secret'",
        "cannot open /var/lib/clo/4711.dump: No such file",
        "loan LX0001 of deal Magnetar priced at 99.5",
        "calculation of Magnetar Nine failed",
        "fetched https://alice:secret@bank.eu/4711",
        'key "3f786850e387550f" and token: secret',
        "block 3f786850e387550f is missing",
        "password=secret role: alice",
        f"note {'x ' * 490}'secret of alice is longer than what is looked at",
    ],
)
def test_what_is_somebodys_does_not_stay_in_a_signature(message: str) -> None:
    left = signature(message, 240)
    assert not [word for word in SECRETS if word in left], left


def test_lines_that_differ_in_their_values_have_one_signature() -> None:
    lines = [f"job {number} of user u{number} failed after {number}.5 s on 10.0.0.{number}" for number in range(50)]
    assert len({signature(line, 240) for line in lines}) == 1
    assert signature("deadlock detected", 240) == "deadlock detected"
    assert signature("deadlock detected", 240) != signature("disk full", 240)


@given(st.text(max_size=300))
def test_no_text_breaks_it_and_it_is_bounded(text: str) -> None:
    assert len(signature(text, 100)) <= 100
    for form in ("json", "postgresql", "text"):
        read_line(text, form, Fields())


def test_a_json_line() -> None:
    raised = r"Traceback\n  x\nValueError: 4711"
    text = f'{{"at": "2026-11-23T12:00:00Z", "level": "error", "event": "boom", "exception": "{raised}"}}'
    line = read_line(text, "json", Fields())
    assert (line.at, line.level, line.message) == (AT, "ERROR", "boom [ValueError]")


@pytest.mark.parametrize("text", ["", "not json", "[1]", '{"at": 1e400}', '{"at": true, "level": null}', "{" * 5000])
def test_a_line_that_cannot_be_read_is_still_a_line(text: str) -> None:
    line = read_line(text, "json", Fields())
    assert line.at is None
    assert not line.continued


def test_a_postgresql_line() -> None:
    text = '2026-11-23 12:00:00.000 UTC [4711] alice@clo psql ERROR:  relation "loans" does not exist at character 15'
    line = read_line(text, "postgresql", Fields())
    assert (line.at, line.level) == (AT, "ERROR")
    assert signature(line.message, 240) == 'relation "<text>" does not exist at character <n>'
    statement = text.replace("ERROR:  relation", "STATEMENT:  select").replace(" at character 15", "")
    assert read_line(statement, "postgresql", Fields()).continued
    assert read_line("\tfrom loans", "postgresql", Fields()).continued


def test_percentiles_are_right_to_within_a_bucket() -> None:
    buckets = Counter(bucket(ms) for ms in range(1, 1001))
    assert percentile(buckets, 0.95) == pytest.approx(950, rel=0.06)
    assert percentile(buckets, 0.5) == pytest.approx(500, rel=0.06)
    assert percentile({}, 0.95) is None


def test_a_day_ends_at_its_moment() -> None:
    assert day_of(AT.replace(hour=17, minute=59), ENDS) == DAY
    assert day_of(AT.replace(hour=18, minute=0), ENDS) == DAY + timedelta(days=1)


def postgres() -> LogFile:
    return next(one for one in POLICY.logs.files if one.form == "postgresql")


def api() -> LogFile:
    return next(one for one in POLICY.logs.files if one.name == "access")


def test_postgresqls_own_lines_are_counted_by_name() -> None:
    begun = "2026-11-23 12:00:00.000 UTC [1] "
    lines = [
        "LOG:  duration: 1200.000 ms  statement: select 1",
        "LOG:  duration: 800.000 ms  statement: select 2",
        "ERROR:  deadlock detected",
        "DETAIL:  Process 1 waits for ShareLock on transaction 2; blocked by process 3.",
        'LOG:  temporary file: path "base/pgsql_tmp/x", size 1048576',
        "LOG:  checkpoints are occurring too frequently (5 seconds apart)",
        'FATAL:  password authentication failed for user "alice"',
        "FATAL:  sorry, too many clients already",
        "ERROR:  permission denied for table loans",
        "LOG:  connection authorized: user=postgres database=clo",
        "LOG:  connection authorized: user=clo_app database=clo",
    ]
    reader = Reader(postgres(), POLICY.logs, ENDS, AT + timedelta(hours=6))
    reader.feed(f"{begun}{line}\n".encode() for line in lines)
    (day,) = reader.days.values()
    assert day.lines == 10, "a DETAIL belongs to its line"
    counted = {name: one.count for name, one in day.marks.items()}
    assert counted == {
        "slow statements": 2,
        "deadlocks": 1,
        "temporary files": 1,
        "checkpoints too frequent": 1,
        "failed logins to the database": 1,
        "connections refused for want of a slot": 1,
        "permission denied in the database": 1,
        "superuser connections": 1,
    }
    assert (day.marks["slow statements"].ms, day.marks["slow statements"].most_ms) == (2000, 1200)
    assert day.marks["temporary files"].bytes == 1048576


def test_more_signatures_than_a_day_may_have_are_counted_as_one() -> None:
    logs = POLICY.logs.model_copy(update={"reading": POLICY.logs.reading.model_copy(update={"most_signatures": 10})})
    reader = Reader(api(), logs, ENDS, AT)
    words = [f"{chr(97 + number // 26)}{chr(97 + number % 26)}" for number in range(100)]
    reader.feed(f'{{"level": "INFO", "event": "word {word}"}}\n'.encode() for word in words)
    (day,) = reader.days.values()
    assert day.signatures.total() == 100
    assert len(day.signatures) == 11


# ---------------------------------------------------------------- LM-03


@dataclass(frozen=True)
class Met:
    source: str
    level: str
    text: str
    first_day: date
    day: date
    count: int


def day(source: str, tally: LogDay, met: Sequence[Met] = (), known: int = 30) -> log_day.Day:
    return log_day.Day(DAY, {source: tally}, met, {source: DAY - timedelta(days=known)})


def of(source: LogFile, found: Sequence[Finding]) -> dict[str, Finding]:
    return {one.name: one for one in found if one.subject.partition(":")[0] == source.name}


def looked(source: str, *, lost: bool = False, left: int = 0) -> Answer:
    labels = {"source": source}
    return Answer.of(
        [Measurement("log.lost", lost, "bool", AT, labels), Measurement("log.left", left, "bytes", AT, labels)]
    )


def requests(count: int, failed: int, ms: float) -> LogDay:
    tally = LogDay(lines=count)
    for number in range(count):
        tally.request(LogRequest("GET /x", 500 if number < failed else 200, ms))
    return tally


@pytest.mark.parametrize(("failed", "status"), [(1, Status.PASS), (2, Status.WARN)])
def test_failed_requests_at_the_limit_and_above(failed: int, status: Status) -> None:
    found = log_day.judge(looked("access"), day("access", requests(1_000, failed, 10)), POLICY)
    assert of(api(), found)["requests"].status is status


@pytest.mark.parametrize(("ms", "status"), [(470, Status.PASS), (560, Status.WARN)])
def test_a_slow_endpoint(ms: float, status: Status) -> None:
    found = log_day.judge(looked("access"), day("access", requests(100, 0, ms)), POLICY)
    assert of(api(), found)["slowest endpoints"].status is status


def test_few_requests_are_no_rate() -> None:
    found = log_day.judge(looked("access"), day("access", requests(10, 10, 10)), POLICY)
    assert of(api(), found)["requests"].status is Status.PASS


def test_a_day_without_a_line_and_a_gap() -> None:
    found = of(api(), log_day.judge(looked("access", lost=True), day("access", LogDay()), POLICY))
    assert found["lines of the day"].status is Status.WARN
    assert found["read whole"].status is Status.WARN
    rest = of(api(), log_day.judge(looked("access", left=5), day("access", LogDay(lines=1)), POLICY))
    assert rest["lines of the day"].status is Status.PASS
    assert rest["read whole"].status is Status.WARN


def test_a_day_before_the_log_was_known_is_no_gap() -> None:
    found = of(api(), log_day.judge(looked("access"), day("access", LogDay(), known=-1), POLICY))
    assert found["lines of the day"].status is Status.NOT_APPLICABLE
    assert "0 days" in found["errors never seen before"].message


def test_an_error_never_seen_before_is_told_once_the_log_is_known() -> None:
    fresh = [Met("access", "ERROR", "boom", DAY, DAY, 3)]
    known = of(api(), log_day.judge(looked("access"), day("access", LogDay(lines=1), fresh, known=7), POLICY))
    assert known["errors never seen before"].status is Status.WARN
    assert "boom" in known["errors never seen before"].message
    unknown = of(api(), log_day.judge(looked("access"), day("access", LogDay(lines=1), fresh, known=6), POLICY))
    assert unknown["errors never seen before"].status is Status.NOT_APPLICABLE
    old = [Met("access", "ERROR", "boom", DAY - timedelta(days=3), DAY, 3), Met("access", "INFO", "new", DAY, DAY, 1)]
    seen = of(api(), log_day.judge(looked("access"), day("access", LogDay(lines=1), old), POLICY))
    assert seen["errors never seen before"].status is Status.PASS


@pytest.mark.parametrize(("count", "status"), [(0, Status.PASS), (1, Status.WARN)])
def test_a_deadlock_warns(count: int, status: Status) -> None:
    tally = LogDay(lines=5)
    if count:
        tally.marks["deadlocks"] = Marked(count)
    found = of(postgres(), log_day.judge(looked("postgresql"), day("postgresql", tally), POLICY))
    assert found["deadlocks"].status is status


# ---------------------------------------------------------------- LM-04

UNTIL = date(2026, 11, 27)


def weeks(counts: Sequence[int], level: str = "ERROR", text: str = "boom", first: int | None = None) -> list[Met]:
    """One signature's lines by week, the newest last."""
    ago = len(counts) if first is None else first
    begun = UNTIL - timedelta(days=7 * ago)
    return [
        Met("access", level, text, begun, UNTIL - timedelta(days=7 * back + 1), count)
        for back, count in enumerate(reversed(counts))
        if count
    ]


def only(source: str) -> Logs:
    return POLICY.logs.model_copy(update={"files": tuple(one for one in POLICY.logs.files if one.name == source)})


def trend(met: Sequence[Met], known: int = 9) -> dict[str, Finding]:
    since = {"access": UNTIL - timedelta(days=7 * known)}
    return {one.name: one for one in log_trends.judge(met, since, UNTIL, only("access"))}


@pytest.mark.parametrize(
    ("counts", "status"),
    [
        ([100, 100, 100, 100, 100], Status.PASS),
        # median 100 and no spread: 4 x root of 100 above it is still nothing.
        ([100, 100, 100, 100, 140], Status.PASS),
        ([100, 100, 100, 100, 141], Status.WARN),
        ([2, 2, 2, 2, 9], Status.PASS),
        ([0, 0, 0, 0, 10], Status.WARN),
        # Weeks that differ widely by themselves.
        ([50, 200, 80, 150, 260], Status.PASS),
    ],
)
def test_growing(counts: list[int], status: Status) -> None:
    assert trend(weeks(counts, first=9), known=5)["growing signatures"].status is status


def test_new_in_this_week() -> None:
    found = trend(weeks([0, 0, 0, 0, 1], first=1))
    assert found["new signatures"].status is Status.WARN
    assert "boom" in found["new signatures"].message
    assert trend(weeks([0, 0, 0, 0, 1], level="INFO", first=1))["new signatures"].status is Status.PASS


def test_vanished_is_told() -> None:
    found = trend(weeks([20, 30, 25, 20, 0]), known=5)["vanished signatures"]
    assert found.status is Status.PASS
    assert found.actual == "1"
    assert trend(weeks([9, 9, 9, 9, 0]), known=5)["vanished signatures"].actual == "0"


@pytest.mark.parametrize(("known", "short"), [(3, True), (4, False)])
def test_a_history_too_short_is_said_to_be(known: int, short: bool) -> None:
    found = trend(weeks([5, 5, 5, 500], first=9), known=known)
    assert ("trend" in found) is short
    if short:
        assert found["trend"].status is Status.NOT_APPLICABLE
        assert "too short" in found["trend"].message


def test_a_log_never_read_has_no_history() -> None:
    (finding,) = log_trends.judge([], {}, UNTIL, only("access"))
    assert finding.status is Status.NOT_APPLICABLE


# ---------------------------------------------------------------- LM-05


def month(days: dict[date, LogDay], known: date = date(2026, 9, 1)) -> log_review.Month:
    return log_review.Month(date(2026, 10, 1), date(2026, 10, 31), {"access": days}, {"access": known})


def every_day(lines: int = 5) -> dict[date, LogDay]:
    return {date(2026, 10, 1) + timedelta(days=number): LogDay(lines=lines) for number in range(31)}


def measured_places(due: float = 0) -> Answer:
    return Answer.of(
        Measurement(name, value, "count", AT, {"place": place})
        for place in log_review.places_of(POLICY)
        for name, value in (("log.due", due), ("log.oldest", 12))
    )


def review(given: log_review.Month, retention: Answer) -> dict[tuple[str, str], Finding]:
    return {(one.name, one.subject): one for one in log_review.judge(given, retention, POLICY)}


def test_a_month_without_a_gap() -> None:
    found = review(month(every_day()), measured_places())
    assert found["days without a line", "access"].status is Status.PASS
    assert found["retention", "login_attempts"].status is Status.PASS
    assert found["a log of each class", "audit_logs"].status is Status.PASS


def test_a_day_without_a_line_is_a_gap() -> None:
    days = every_day() | {date(2026, 10, 7): LogDay()}
    del days[date(2026, 10, 9)]
    finding = review(month(days), measured_places())["days without a line", "access"]
    assert finding.status is Status.WARN
    assert "2026-10-07, 2026-10-09" in finding.message


def test_days_before_a_log_was_known_are_no_gap() -> None:
    days = {day: one for day, one in every_day().items() if day.day >= 20}
    assert (
        review(month(days, date(2026, 10, 20)), measured_places())["days without a line", "access"].status
        is Status.PASS
    )


def test_what_is_due_and_what_nobody_measured() -> None:
    assert review(month({}), measured_places(due=3))["retention", "login_attempts"].status is Status.WARN
    assert review(month({}), Answer())["retention", "login_attempts"].status is Status.UNKNOWN


def test_a_class_without_a_place() -> None:
    logs = POLICY.logs.model_copy(update={"files": (), "tables": ()})
    bare = POLICY.model_copy(update={"logs": logs})
    found = {(one.name, one.subject): one for one in log_review.judge(month({}), Answer(), bare)}
    assert found["a log of each class", "application_logs"].status is Status.WARN


def test_failed_logins_of_a_month_are_held_to_the_months_days() -> None:
    source, days = postgres(), {}
    for number in range(31):
        days[date(2026, 10, 1) + timedelta(days=number)] = LogDay(lines=1)
    days[date(2026, 10, 1)].marks["failed logins to the database"] = Marked(20 * 31 + 1)
    given = log_review.Month(
        date(2026, 10, 1), date(2026, 10, 31), {source.name: days}, {source.name: date(2026, 9, 1)}
    )
    found = review(given, measured_places())
    assert found["failed logins to the database", source.name].status is Status.WARN
    assert found["superuser connections", source.name].status is Status.PASS


def test_the_pack_of_evidence_holds_figures_only() -> None:
    pack = log_review.as_json(month(every_day()), POLICY, measured_places())
    access = next(one for one in pack["logs"] if one["name"] == "access")
    assert access["lines"] == 155
    assert pack["classes"]["audit_logs"]["keep"] == "7 years"
