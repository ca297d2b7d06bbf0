"""WM-01, WM-02: what is stale, old, near its end, bloated, half-built or superfluous, at each bound and beside it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from clo_ops.findings import Answer, Measurement, Severity, Status
from clo_ops.findings.plans import Effect, Outcome, Step
from clo_ops.findings.upkeep import (
    Attempt,
    IndexSnapshot,
    IndexState,
    Pages,
    ServerState,
    TableSnapshot,
    TableState,
    Width,
    later_xid,
)
from clo_ops.policy import load_policy
from clo_ops.policy.upkeep import Ages, Bloat, Indexes, Manners, Sequences
from clo_ops.rules import ages, bloat, half_built, index_use, rebuilds, staleness

AT = datetime(2026, 11, 23, 5, tzinfo=UTC)
POLICY = load_policy(mode="demo").maintenance
STATISTICS, INDEXES = POLICY.statistics, POLICY.indexes
SERVER = ServerState("clo", False, 15, 0, AT - timedelta(days=40), True, 200_000_000, 400_000_000, "public", True, 5000)
TABLE = TableState("public", "loans", False, "", 100_000.0, 10_000_000, 0, 0, AT, AT, None, "clo_app", True)
INDEX = IndexState(
    oid=1, schema="public", name="loans_note", table_schema="public", table_name="loans", kind="index", method="btree",
    bytes=81_920_000, rows=1_000_000.0, table_rows=1_000_000.0, filled=90, uses="", is_unique=False, is_primary=False,
    is_exclusion=False, nulls_apart=False, constraint_type="", constraint_name="", parts=("note 3126 100 0",),
    included=(), predicate="", replica_identity=False, clustered=False, of_partition=False, valid=True, ready=True,
    live=True, building=False, made_by=700, scans=5, last_scan=None, owner="clo_app", may=True, may_name=True,
)  # fmt: skip


def tables(*found):
    return TableSnapshot(SERVER, found)


def work(*found, **more):
    return staleness.work(tables(*found), STATISTICS, at=AT, **more)


# ---------------------------------------------------------------- what is stale


@pytest.mark.parametrize(("changed", "due"), [(3_999, False), (4_000, False), (4_001, True)])
def test_changed_rows_at_the_bound_of_the_policy(changed, due):
    """1,000 rows and 3 % of 100,000."""
    assert bool(work(replace(TABLE, changed=changed)).analyze) is due


@pytest.mark.parametrize(("dead", "due"), [(9_999, False), (10_000, False), (10_001, True)])
def test_dead_rows_at_the_bound_of_the_policy(dead, due):
    """5,000 rows and 5 % of 100,000."""
    assert bool(work(replace(TABLE, dead=dead)).vacuum) is due


@pytest.mark.parametrize(("age", "due"), [(timedelta(days=30), False), (timedelta(days=30, seconds=1), True)])
def test_little_changed_and_long_not_looked_at(age, due):
    old = replace(TABLE, analyzed_at=AT - age, changed=1)
    assert bool(work(old).analyze) is due
    assert not work(replace(old, changed=0)).analyze, "what never changes needs no new statistics"


def test_never_analysed_is_due_and_an_empty_partitioned_table_is_not():
    new = replace(TABLE, analyzed_at=None, rows=-1.0)
    assert "never analysed" in work(new).analyze[0].why
    assert not work(replace(new, parent=True)).analyze
    assert work(replace(new, parent=True, changed=1)).analyze


def test_partitioned_table_is_due_when_its_partitions_were_analysed_much_later():
    parent = replace(TABLE, parent=True, analyzed_at=AT - timedelta(days=31), leaf_analyzed_at=AT)
    assert "31 d 0 h after" in work(parent).analyze[0].why
    assert not work(replace(parent, analyzed_at=AT - timedelta(days=30))).analyze


def test_most_pressing_first_and_no_more_than_one_run_takes():
    few = STATISTICS.model_copy(update={"at_most": 2})
    found = [replace(TABLE, name=f"t{number}", changed=number * 10_000) for number in (1, 3, 2)]
    chosen = staleness.work(tables(*found), few, at=AT)
    assert [due.table.name for due in chosen.analyze] == ["t3", "t2"]
    assert [due.table.name for due in chosen.later] == ["t1"]
    (finding,) = staleness.judge(chosen, tables(*found), few)
    assert (finding.status, finding.actual) == (Status.WARN, "1 left")


def test_what_the_last_run_left_over_is_among_those_of_this_one():
    few = STATISTICS.model_copy(update={"at_most": 2})
    found = [replace(TABLE, name=f"t{number}", changed=number * 10_000) for number in (1, 3, 2)]
    left = {replace(TABLE, name="t1").full_name}
    chosen = staleness.work(tables(*found), few, at=AT, left_over=left)
    assert [due.table.name for due in chosen.analyze] == ["t1", "t3"]
    several = [replace(INDEX, oid=n, name=f"i{n}", bytes=n * 81_920_000, rows=n * 1e6) for n in (1, 3, 2)]
    known = rebuilds.Known(AT, {one.full_name: 41 for one in several}, left_over={several[0].full_name})
    first = rebuilds.choose(snapshot(*several), INDEXES.model_copy(update={"at_most": 2}), known).rebuild
    assert [one.index.name for one in first] == ["i1", "i3"]


def test_what_is_not_ours_is_said_once_and_nothing_due_passes():
    foreign = replace(TABLE, may=False, changed=50_000, dead=50_000, owner="stranger")
    chosen = work(foreign)
    assert (chosen.analyze, chosen.vacuum) == ((), ())
    (finding,) = staleness.judge(chosen, tables(foreign), STATISTICS)
    assert (finding.status, finding.subject, finding.actual) == (Status.WARN, "public.loans", "owner stranger")
    assert [one.status for one in staleness.judge(work(TABLE), tables(TABLE), STATISTICS)] == [Status.PASS]


def test_many_that_are_not_ours_do_not_fill_the_page():
    many = [replace(TABLE, name=f"t{number}", may=False, changed=50_000) for number in range(15)]
    findings = staleness.judge(work(*many), tables(*many), STATISTICS)
    assert len(findings) == staleness.NAMED + 1
    assert findings[-1].actual == "5 more"


def test_standby_counts_nothing_and_that_is_not_green():
    assert staleness.not_here(tables()).status is Status.NOT_APPLICABLE


def test_vacuum_of_another_window_names_what_waits_for_it():
    assert staleness.vacuum_elsewhere(work(TABLE), "x") == []
    (finding,) = staleness.vacuum_elsewhere(work(replace(TABLE, dead=20_000)), "vacuum is no duty of Monday")
    assert finding.status is Status.NOT_APPLICABLE
    assert "no duty of Monday" in finding.message
    assert "20,000 dead rows" in finding.message


def test_effect_adds_up_what_was_applied():
    step = Step("analyze public.loans", "analyze", "public.loans", "", "", before={"changed": 10, "dead": 5, "rows": 1})
    done = [(step, Effect(Outcome.APPLIED, "", 1.0, {"dead": 0})), (step, Effect(Outcome.LEFT_OVER, ""))]
    (finding,) = staleness.judge_effect(done)
    assert "1 tables were analysed, 10 rows changed" in finding.message
    assert "dead rows 5 before, 0 after" in finding.message
    assert staleness.judge_effect(done[1:]) == []


# ---------------------------------------------------------------- ages and sequences


def aged(value, of="transaction", begins=200_000_000, name="postgresql.database.age", **labels):
    labels = labels or {"database": "clo"}
    return Measurement(name, value, "count", AT, {**labels, "of": of, "freeze_max_age": str(begins)})


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (240_000_000, Status.PASS),  # 1.2 times 200 million
        (240_000_001, Status.WARN),
        (1_073_741_823, Status.WARN),  # half of 2,147,483,647 is 1,073,741,823.5
        (1_073_741_824, Status.FAIL),
    ],
)
def test_transaction_age_at_its_bounds(value, status):
    (finding,) = ages.judge_ages(Answer((aged(value),)), STATISTICS.ages)
    assert finding.status is status
    assert finding.severity is {Status.PASS: None, Status.WARN: Severity.P2, Status.FAIL: Severity.P1}[status]


def test_age_of_a_table_by_its_own_setting_and_what_holds_it_back():
    table = aged(130_000_000, begins=100_000_000, name="postgresql.table.age", table="loans")
    holder = Measurement("postgresql.horizon.age", 9, "count", AT, {"kind": "session"}, "session pid 7 (ann, report)")
    answer = Answer((aged(130_000_000), table, holder))
    (finding,) = ages.judge_ages(answer, STATISTICS.ages)
    assert (finding.status, finding.subject) == (Status.WARN, "loans, transaction")
    assert "held back by session pid 7" in finding.message


def test_ages_nobody_measured_are_unknown():
    assert [one.status for one in ages.judge_ages(Answer(), STATISTICS.ages)] == [Status.UNKNOWN]


def used(value, name="public.s"):
    labels = {"sequence": name, "feeds": "t.id"}
    return Measurement("postgresql.sequence.used", value, "percent", AT, labels, "so far of so much")


@pytest.mark.parametrize(
    ("value", "status"),
    [(75.0, Status.PASS), (75.1, Status.WARN), (90.0, Status.WARN), (90.1, Status.FAIL)],
)
def test_sequence_at_its_bounds(value, status):
    (finding,) = ages.judge_sequences(Answer((used(value),)), STATISTICS.sequences)
    assert finding.status is status


def test_no_sequence_passes_and_many_full_ones_are_counted():
    assert [one.status for one in ages.judge_sequences(Answer(), STATISTICS.sequences)] == [Status.PASS]
    full = [used(80 + number / 10, f"s{number}") for number in range(12)]
    findings = ages.judge_sequences(Answer(tuple(full)), STATISTICS.sequences)
    assert (len(findings), findings[0].subject) == (11, "s11")


# ---------------------------------------------------------------- how much is air


def snapshot(*found, **more):
    return IndexSnapshot(SERVER, found, **more)


def test_reading_comes_before_its_own_best_and_that_before_the_estimate():
    pages, width = Pages(INDEX.bytes, 9_900, 100, 0, 45.0, 0.0), Width(8.0, False, 1, 1, False)
    all_known = snapshot(INDEX, pages={1: pages}, widths={1: width})
    best = {"public.loans_note": 20.0}
    assert bloat.air(all_known, INDEX, best).how == bloat.READ
    assert bloat.air(snapshot(INDEX, widths={1: width}), INDEX, best).how == bloat.RATIO
    assert bloat.air(snapshot(INDEX, widths={1: width}), INDEX, {}).how == bloat.ESTIMATED
    assert bloat.air(snapshot(INDEX), INDEX, {}) is None


def test_half_full_leaves_are_half_air():
    found = bloat.air(snapshot(INDEX, pages={1: Pages(INDEX.bytes, 9_900, 100, 0, 45.0, 0.0)}), INDEX, {})
    assert round(found.share) == 50
    full = bloat.air(snapshot(INDEX, pages={1: Pages(INDEX.bytes, 9_900, 100, 0, 97.0, 0.0)}), INDEX, {})
    assert (full.share, full.bytes) == (0.0, 0), "fuller than a new one is no air, and none to be won"


def test_expected_pages_of_a_btree_are_those_a_real_one_had():
    """200,000 entries of 33 bytes: PostgreSQL 15 built 1,444 pages, 1,429 of them leaves."""
    assert bloat.expected_pages(200_000, Width(33.0, False, 1, 1, False), 90) == pytest.approx(1444, rel=0.02)


@pytest.mark.parametrize("width", [Width(8.0, False, 2, 1, False), Width(64.0, False, 1, 1, True)])
def test_estimate_without_statistics_or_of_type_name_is_none(width):
    assert bloat.air(snapshot(INDEX, widths={1: width}), INDEX, {}) is None


# ---------------------------------------------------------------- which are rebuilt


def choice(*found, best=None, attempts=(), terms=INDEXES):
    known = rebuilds.Known(AT, best if best is not None else {one.full_name: 81.92 * 0.5 for one in found}, attempts)
    return rebuilds.choose(snapshot(*found), terms, known)


@pytest.mark.parametrize(("share", "due"), [(39.9, False), (40.0, False), (40.1, True)])
def test_air_at_the_bound_of_the_policy(share, due):
    best = {"public.loans_note": 81.92 * (100 - share) / 100}
    assert bool(choice(INDEX, best=best).rebuild) is due


@pytest.mark.parametrize(("size", "looked"), [(9_999_999, 0), (10_000_000, 0), (10_000_001, 1)])
def test_size_at_the_bound_of_the_policy(size, looked):
    one = replace(INDEX, bytes=size)
    found = choice(one, best={})
    assert len(found.others) == looked


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"is_exclusion": True}, "exclusion constraint"),
        ({"may": False, "owner": "stranger"}, "belongs to stranger"),
        ({"may_name": False, "schema": "public"}, "only a superuser"),
    ],
)
def test_bloated_and_not_to_be_rebuilt_is_a_warning_with_its_reason(changes, why):
    found = choice(replace(INDEX, **changes))
    assert found.rebuild == ()
    (finding,) = rebuilds.judge(found)
    assert finding.status is Status.WARN
    assert why in finding.message


@pytest.mark.parametrize("changes", [{"valid": False}, {"kind": "partitioned"}])
def test_half_built_and_partitioned_ones_are_not_looked_at(changes):
    found = choice(replace(INDEX, **changes))
    assert (found.rebuild, found.others) == ((), ())


def rebuilt(won, days, **changes):
    ended = AT - timedelta(days=days)
    made = Attempt("public.loans_note", "public.loans", 1, 1, frozenset(), ended, ended, 5, True, 1000, 1000 - won)
    return replace(made, **changes)


@pytest.mark.parametrize(
    ("won", "days", "again"),
    [(99, 90, False), (100, 90, True), (99, 90.001, True), (101, 1, True), (-50, 1, False)],
)
def test_rebuild_that_won_little_is_not_tried_again_for_a_while(won, days, again):
    """10 % are worth it; for 90 days."""
    assert bool(choice(INDEX, attempts=[rebuilt(won, days)]).rebuild) is again


def test_only_the_last_rebuild_that_ended_well_counts():
    killed = rebuilt(0, 1, ended=None, applied=False)
    assert choice(INDEX, attempts=[rebuilt(500, 2), killed]).rebuild
    assert choice(INDEX, attempts=[rebuilt(0, 20), rebuilt(500, 2)]).rebuild
    assert not choice(INDEX, attempts=[rebuilt(500, 20), rebuilt(0, 2)]).rebuild


def test_largest_gain_first_and_no_more_than_one_run_takes():
    several = [replace(INDEX, oid=n, name=f"i{n}", bytes=n * 81_920_000, rows=n * 1e6) for n in (1, 3, 2)]
    found = choice(*several, terms=INDEXES.model_copy(update={"at_most": 2}))
    assert [one.index.name for one in found.rebuild] == ["i3", "i2"]
    assert "3 in line" in next(one.why_not for one in found.others if one.index.name == "i1")


MIB = 2**20


@pytest.mark.parametrize(
    ("size", "large_now", "due"),
    [(256 * MIB, False, True), (256 * MIB + 1, False, False), (256 * MIB + 1, True, True)],
)
def test_a_large_one_waits_for_a_window_of_which_users_are_told(size, large_now, due):
    """Strictly over 256 MiB; said where it waits."""
    one = replace(INDEX, bytes=size, rows=size / 81.92)
    known = rebuilds.Known(AT, {one.full_name: 81.92 * 0.5}, large_now=large_now)
    found = rebuilds.choose(snapshot(one), INDEXES, known)
    assert bool(found.rebuild) is due
    said = [finding.message for finding in rebuilds.judge(found)]
    assert said == [] if due else "(weekly, monthly, emergency): it is larger than 256 MiB" in said[0]


def test_what_nobody_can_tell_is_unknown_for_a_btree_and_not_applicable_for_others():
    (finding,) = rebuilds.judge(choice(INDEX, best={}))
    assert finding.status is Status.UNKNOWN
    (finding,) = rebuilds.judge(choice(replace(INDEX, method="gin"), best={}))
    assert finding.status is Status.NOT_APPLICABLE


def test_sound_indexes_pass_with_the_most_bloated_named():
    found = choice(INDEX, best={"public.loans_note": 81.92 * 0.7})
    (finding,) = rebuilds.judge(found)
    assert (finding.status, finding.actual) == (Status.PASS, "30 %")
    assert [one.actual for one in rebuilds.judge(choice())] == ["none that large"]


def test_fewest_bytes_per_row_are_the_best():
    seen = [("a", 40.0), ("a", 25.0), ("a", 31.0), ("b", 0.0)]
    assert rebuilds.best_ratios(seen) == {"a": 25.0}


def test_bytes_won_add_up():
    step = Step("reindex i", "reindex", "i", "", "", before={"bytes": 3 * 2**20})
    gone = Step("remove leftover i", "remove leftover", "i", "", "", before={"bytes": 7})
    done = [(step, Effect(Outcome.APPLIED, "", 1.0, {"bytes": 2**20})), (gone, Effect(Outcome.APPLIED, ""))]
    (finding,) = rebuilds.judge_effect(done)
    assert finding.actual == "2 MiB"
    assert rebuilds.judge_effect([(gone, Effect(Outcome.APPLIED, ""))]) == []


# ---------------------------------------------------------------- what is half-built


LEFT = replace(INDEX, oid=9, name="loans_note_ccnew", valid=False, ready=False, made_by=1000)
OURS = Attempt("public.loans_note", "public.loans", 1, 1000, frozenset(), AT)


def sort(*found, attempts=(OURS,)):
    return half_built.sort(snapshot(*found), attempts)


def test_what_our_record_explains_is_ours_and_nothing_else_is():
    assert sort(LEFT).ours == (LEFT,)
    assert sort(LEFT, attempts=()).foreign == (LEFT,)


@pytest.mark.parametrize(
    "changes",
    [
        {"made_by": 999},  # before it was planned
        {"table_name": "deals"},
        {"name": "loans_par_ccnew"},
        {"name": "loans_note"},  # an invalid index that CREATE INDEX CONCURRENTLY left
        {"name": "loans_note_ccnewer"},
        {"schema": "other"},
    ],
)
def test_what_it_does_not_explain_is_somebody_elses(changes):
    assert sort(replace(LEFT, **changes)).ours == ()


def test_what_was_there_before_is_not_ours_and_what_came_after_its_end_neither():
    assert sort(LEFT, attempts=(replace(OURS, others=frozenset({9})),)).ours == ()
    assert sort(LEFT, attempts=(replace(OURS, ended=AT, xid_after=1000),)).ours == (LEFT,)
    assert sort(replace(LEFT, made_by=1001), attempts=(replace(OURS, ended=AT, xid_after=1000),)).ours == ()


def test_one_rebuild_explains_one_new_index_the_first():
    second = replace(LEFT, oid=10, name="loans_note_ccnew1", made_by=1500)
    found = sort(second, LEFT)
    assert (found.ours, found.foreign) == ((LEFT,), (second,))
    assert sort(second, LEFT, attempts=(OURS, replace(OURS, xid=1400))).foreign == ()


def test_old_index_after_the_swap_is_known_by_its_number():
    old = replace(LEFT, oid=1, name="loans_note_ccold", made_by=3)
    assert sort(old).ours == (old,)
    assert sort(replace(old, oid=2)).ours == ()


def test_long_names_are_cut_as_postgresql_does():
    name = "i" * 60
    cut = replace(LEFT, name=f"{name[:57]}_ccnew")
    assert len(cut.name) == 63
    assert sort(cut, attempts=(replace(OURS, index=f"public.{name}"),)).ours == (cut,)
    assert sort(replace(LEFT, name="loans_ccnew"), attempts=(OURS,)).ours == (), "a short name is never cut"


def test_transaction_numbers_go_round():
    assert later_xid(5, 2**32 - 5)
    assert not later_xid(2**32 - 5, 5)
    assert later_xid(7, 7)
    assert sort(replace(LEFT, made_by=3), attempts=(replace(OURS, xid=2**32 - 3),)).ours


def test_what_is_being_built_is_neither():
    found = sort(replace(LEFT, building=True))
    assert (found.ours, found.foreign, len(found.building)) == ((), (), 1)
    assert [one.status for one in half_built.judge(found)] == [Status.PASS]


def test_invalid_unique_index_says_what_it_does_not_keep():
    (finding,) = half_built.judge(sort(replace(LEFT, is_unique=True), attempts=()))
    assert finding.status is Status.WARN
    assert "keeps nothing unique" in finding.message
    assert "nothing keeps it up" in finding.message


# ---------------------------------------------------------------- what nobody uses


def idle(*found, server=SERVER):
    findings = index_use.judge(IndexSnapshot(server, found), INDEXES.unused, at=AT)
    return [one for one in findings if one.name == "unused indexes"]


IDLE = replace(INDEX, scans=0)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({}, True),
        ({"scans": 1}, False),
        ({"last_scan": AT}, False),
        ({"bytes": 10_000_000}, False),
        ({"bytes": 10_000_001}, True),
        ({"is_unique": True}, False),
        ({"constraint_type": "x"}, False),
        ({"replica_identity": True}, False),
        ({"uses": "a foreign key"}, False),
    ],
)
def test_idle_and_keeping_no_promise(changes, named):
    (finding,) = idle(replace(IDLE, **changes))
    assert (finding.status is Status.WARN) is named


@pytest.mark.parametrize(("days", "status"), [(29.99, Status.NOT_APPLICABLE), (30, Status.WARN)])
def test_use_must_have_been_counted_long_enough(days, status):
    server = replace(SERVER, counted_since=AT - timedelta(days=days))
    assert [one.status for one in idle(IDLE, server=server)] == [status]


def test_standbys_count_their_own():
    (finding,) = idle(IDLE, server=replace(SERVER, standbys=2))
    assert "2 standbys count their own" in finding.message
    (finding,) = idle(IDLE, server=replace(SERVER, in_recovery=True))
    assert "on this standby" in finding.message


# ---------------------------------------------------------------- what is there twice


def twice(*found):
    findings = index_use.judge(snapshot(*found), INDEXES.unused, at=AT)
    return {one.subject: one.actual for one in findings if one.name == "duplicate indexes" and one.subject}


OTHER = replace(INDEX, oid=2, name="loans_other")


def test_of_two_that_are_the_same_one_stays():
    assert twice(INDEX, OTHER) == {"public.loans_other": "public.loans_note"}


def test_one_that_keeps_a_promise_stays():
    key = replace(OTHER, is_unique=True, constraint_type="u")
    assert twice(INDEX, key) == {"public.loans_note": "public.loans_other"}


@pytest.mark.parametrize(
    "changes",
    [
        {"parts": ("par 1 2 0", "note 3126 100 0")},  # not its beginning
        {"parts": ("note 3126 100 1", "par 1 2 0")},  # another order
        {"predicate": "par > 5"},
        {"method": "hash"},
        {"table_name": "deals"},
        {"schema": "public", "parts": ("lower(note) 3126 100 0",)},
    ],
)
def test_what_cannot_stand_in(changes):
    assert twice(INDEX, replace(OTHER, **changes)) == {}


def test_beginning_of_a_longer_one_is_superfluous_unless_it_is_unique():
    longer = replace(OTHER, parts=("note 3126 100 0", "par 1 2 0"))
    assert twice(INDEX, longer) == {"public.loans_note": "public.loans_other"}
    assert twice(replace(INDEX, is_unique=True), longer) == {}
    assert twice(replace(INDEX, included=("memo",)), longer) == {}
    assert twice(replace(INDEX, included=("par",)), longer) == {"public.loans_note": "public.loans_other"}
    assert twice(replace(INDEX, of_partition=True), longer) == {}


# ---------------------------------------------------------------- what the policy refuses


def test_policy_refuses_what_cannot_work():
    with pytest.raises(ValidationError, match="at least twice long_transaction"):
        Indexes.model_validate(_dumped(INDEXES) | {"long_transaction": "11 min"})
    with pytest.raises(ValidationError, match="less than share"):
        Bloat.model_validate(_dumped(INDEXES)["bloat"] | {"worth": "40 %"})
    with pytest.raises(ValidationError, match="at most give_way_after"):
        Manners.model_validate(_dumped(INDEXES)["manners"] | {"look_every": "31 ms"})
    with pytest.raises(ValidationError, match="at most statement_timeout"):
        Manners.model_validate(_dumped(INDEXES)["manners"] | {"statement_timeout": "19 min"})
    with pytest.raises(ValidationError, match="autovacuum only begins"):
        Ages.model_validate({"warning": 1, "critical": "50 %", "tables": 5, "resolution": "D49"})
    with pytest.raises(ValidationError, match="less than critical"):
        Sequences.model_validate({"warning": "90 %", "critical": "90 %", "resolution": "D49"})


def _dumped(terms):
    """As the file has it: figures with their units."""
    given = terms.model_dump(mode="json")
    for one in ("share", "worth"):
        given["bloat"][one] = f"{given['bloat'][one]:g} %"
    for section, names in {
        "bloat": ("minimum_size", "read_up_to", "read_at_most"),
        "unused": ("minimum_size",),
        "large": ("over",),
    }.items():
        for one in names:
            given[section][one] = f"{given[section][one]} B"
    given["manners"]["memory"] = f"{given['manners']['memory']} B"
    return given
