# ruff: noqa: S608 - statements are put together from names of this file
"""WM-02 on a real server: bloat found and rebuilt away beside its use; what cannot be rebuilt is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.actions.maintenance.plan import Outcome
from clo_ops.findings import Status
from clo_ops.probes import upkeep_indexes
from clo_ops.rules import bloat, half_built, index_use, rebuilds
from tests.integration.upkeep.conftest import POLICY, filled, target_of, until


@pytest.fixture
def look(reader, index_terms):
    def asked(terms=index_terms, target=reader, **more):
        snapshot, answer = upkeep_indexes.indexes(target, terms.bloat, maintainer="clo_ops_maintainer", **more)
        assert snapshot is not None, answer.unanswered
        return snapshot, rebuilds.choose(snapshot, terms, rebuilds.Known(datetime.now(UTC), {}))

    return asked


def index_of(snapshot, name):
    return next(one for one in snapshot.indexes if one.name == name)


def step_of(care, snapshot, choice, name):
    plan = care.plan(snapshot, choice)
    return next(step for step in plan.steps if step.target == f"public.{name}")


def invalid(sql):
    return [row[0] for row in sql("select indexrelid::regclass::text from pg_index where not indisvalid")]


def test_air_is_measured_and_given_back_while_writers_write(  # noqa: PLR0917
    sql, table, look, care, index_terms, writers, eye
):
    filled(sql, table, 100_000, keep=5)
    snapshot, choice = look()
    wanted = {one.index.name: one for one in choice.rebuild}
    assert {f"{table}_note", f"{table}_pkey"} <= set(wanted)
    assert wanted[f"{table}_note"].air.how == bloat.READ
    assert 70 < wanted[f"{table}_note"].air.share < 85, "a fifth of the entries is left"
    sound = index_of(snapshot, f"{table}_note")
    with writers(table) as committed, eye() as seen:
        until(lambda: min(committed) > 20)
        for name in (f"{table}_note", f"{table}_pkey"):
            step = step_of(care(index_terms), snapshot, choice, name)
            effect = care(index_terms, states={step.key: index_of(snapshot, name)}).act(step)
            assert effect.outcome is Outcome.APPLIED, effect.reason
            assert effect.after["won_bytes"] > 0.6 * step.before["bytes"]
        so_far = sum(committed)
        until(lambda: sum(committed) > so_far + 20)
    assert seen.looked
    assert seen.waited == [], "a writer waited for a lock of ours"
    after, now = look()
    assert not {f"{table}_note", f"{table}_pkey"} & {one.index.name for one in now.rebuild}
    assert index_of(after, f"{table}_note").bytes < sound.bytes / 3
    assert invalid(sql) == []
    assert sql(f"select count(*) from {table} where note = md5('5')") == [(1,)]


def test_estimate_is_near_what_reading_says(sql, table, look, index_terms):
    """Without pgstattuple, on an index without air and on the same with it."""
    filled(sql, table, 60_000)
    for keep, airy in ((1, False), (4, True)):
        if keep > 1:
            sql(f"delete from {table} where loan_id % {keep} <> 0")
            sql(f"vacuum analyze {table}")
        read, estimated = look()[0], look(read=False)[0]
        index = index_of(read, f"{table}_note")
        by_reading, by_estimate = bloat.air(read, index, {}), bloat.air(estimated, index, {})
        assert (by_reading.how, by_estimate.how) == (bloat.READ, bloat.ESTIMATED)
        assert abs(by_reading.share - by_estimate.share) < 8, (by_reading, by_estimate)
        assert (by_reading.share > index_terms.bloat.share) is airy


def test_index_that_costs_too_much_to_read_is_estimated(sql, table, look, index_terms):
    filled(sql, table, 60_000, keep=4)
    small = index_terms.bloat.model_copy(update={"read_up_to": 600_000})
    snapshot, choice = look(index_terms.model_copy(update={"bloat": small}))
    one = next(one for one in choice.rebuild if one.index.name == f"{table}_note")
    assert one.air.how == bloat.ESTIMATED
    assert "more than the policy allows" in snapshot.unread[one.index.oid]


def test_old_statistics_that_cry_bloat_are_renewed_first(sql, table, look, care, index_terms):
    """Rows grew wider after the last ANALYZE: by the old width the index is full of air, by the new one it is not."""
    sql(f"alter table {table} set (autovacuum_enabled = off)")
    sql(f"insert into {table} (note, par) select 'n' || n, n from generate_series(1, 40000) n")
    sql(f"analyze {table}")
    sql(f"update {table} set note = repeat('long ', 20) || loan_id")
    sql(f"create index {table}_note on {table} (note)")
    unread = index_terms.bloat.model_copy(update={"read_up_to": 1})
    terms = index_terms.model_copy(update={"bloat": unread})
    snapshot, choice = look(terms)
    step = step_of(care(terms), snapshot, choice, f"{table}_note")
    assert step.before["air_percent"] > 60
    effect = care(terms, states={step.key: index_of(snapshot, f"{table}_note")}).act(step)
    assert effect.outcome is Outcome.SKIPPED
    assert "looked at again" in effect.reason


def test_what_cannot_be_rebuilt_beside_its_use_is_said(sql, app, look, table, index_terms):
    """An exclusion constraint's index, somebody else's, and one of values stored apart."""
    sql("create table booked (n int4range, exclude using gist (n with &&), note text)")
    stranger = app("stranger", "setup")
    stranger.execute("create table strange.loans (id integer primary key, note text)")
    try:
        sql("insert into booked (n) select int4range(n, n + 1) from generate_series(1, 20000) n")
        sql("analyze booked")
        stranger.execute("insert into strange.loans select n, md5(n::text) from generate_series(1, 60000) n")
        stranger.execute("delete from strange.loans where id % 5 <> 0")
        stranger.execute("vacuum analyze strange.loans")
        snapshot, _ = look()
        best = {"public.booked_n_excl": 1.0}
        choice = rebuilds.choose(snapshot, index_terms, rebuilds.Known(datetime.now(UTC), best))
        why = {one.index.name: one.why_not for one in choice.impossible}
        assert "exclusion constraint" in why["booked_n_excl"]
        assert "belongs to stranger" in why["loans_pkey"]
        findings = {one.subject: one for one in rebuilds.judge(choice)}
        assert findings["strange.loans_pkey"].status is Status.WARN
    finally:
        sql("drop table booked")
        stranger.execute("drop table strange.loans")


def test_toast_index_is_looked_at_and_needs_a_superuser(sql, table, look, index_terms):
    sql(f"alter table {table} alter column note set storage external")
    sql(f"insert into {table} (note) select repeat(md5(n::text), 400) from generate_series(1, 3000) n")
    sql(f"delete from {table} where loan_id % 10 <> 0")
    sql(f"vacuum analyze {table}")
    tiny = index_terms.bloat.model_copy(update={"minimum_size": 100_000})
    _, choice = look(index_terms.model_copy(update={"bloat": tiny}))
    toast = [one for one in choice.others if one.index.kind == "toast"]
    assert [one.wanted for one in toast] == [True], choice
    assert "only a superuser" in toast[0].why_not


def test_partitions_one_by_one_and_unique_ones_as_well(sql, look, care, index_terms):
    sql("create table parted (id bigint, at date, unique (id, at)) partition by range (at)")
    try:
        sql("create table parted_1 partition of parted for values from ('2026-01-01') to ('2026-02-01')")
        sql("insert into parted select n, '2026-01-05' from generate_series(1, 60000) n")
        sql("delete from parted where id % 5 <> 0")
        sql("vacuum analyze parted")
        snapshot, choice = look()
        name = "parted_1_id_at_key"
        assert name in {one.index.name for one in choice.rebuild}
        assert "parted_id_at_key" not in {one.index.name for one in (*choice.rebuild, *choice.others)}
        step = step_of(care(index_terms), snapshot, choice, name)
        effect = care(index_terms, states={step.key: index_of(snapshot, name)}).act(step)
        assert effect.outcome is Outcome.APPLIED, effect.reason
        parents = sql("select i.indisvalid from pg_index i where i.indexrelid = 'parted_id_at_key'::regclass")
        assert parents == [(True,)]
    finally:
        sql("drop table parted")


def test_rebuild_that_won_little_is_not_tried_again(sql, table, look, index_terms):
    """Back-off by what is on record; the index as the estimate sees it does not change by rebuilding."""
    from clo_ops.findings.upkeep import Attempt

    filled(sql, table, 60_000, keep=4)
    snapshot, _ = look()
    name, at = f"public.{table}_note", datetime.now(UTC)
    last = Attempt(
        name, f"public.{table}", 1, 1, frozenset(), at, at - timedelta(days=80), None, True, before=1000, after=950
    )
    choice = rebuilds.choose(snapshot, index_terms, rebuilds.Known(at, {}, [last]))
    assert name not in {one.index.full_name for one in choice.rebuild}
    assert any("not tried again" in one.why_not for one in choice.others if one.index.full_name == name)
    (finding,) = [one for one in rebuilds.judge(choice) if one.subject == name]
    assert finding.status is Status.NOT_APPLICABLE


def test_unused_and_superfluous_indexes_are_named(sql, table, reader, look):
    filled(sql, table, 60_000)
    sql(f"create index {table}_twice on {table} (note)")
    sql(f"create index {table}_begins on {table} (note, par)")
    sql(f"create index {table}_other on {table} (note) where par > 5")
    snapshot, _ = look()
    later = datetime.now(UTC) + timedelta(days=31)
    terms = POLICY.maintenance.indexes.unused.model_copy(update={"minimum_size": 1})
    findings = index_use.judge(snapshot, terms, at=later)
    double = {one.subject: one.actual for one in findings if one.name == "duplicate indexes"}
    # _twice is the same as _note: the first by name stays. Both are the beginning of _begins.
    assert double[f"public.{table}_twice"] in (f"public.{table}_note", f"public.{table}_begins")
    assert double[f"public.{table}_note"] == f"public.{table}_begins"
    assert f"public.{table}_other" not in double
    assert f"public.{table}_pkey" not in double
    idle = {one.subject for one in findings if one.name == "unused indexes"}
    assert f"public.{table}_other" in idle
    assert f"public.{table}_pkey" not in idle
    sql("set enable_seqscan = off")
    sql(f"select par from {table} where note = 'x' and par > 5")
    sql("reset enable_seqscan")
    early = index_use.judge(snapshot, terms, at=datetime.now(UTC))
    assert {one.status for one in early if one.name == "unused indexes"} == {Status.NOT_APPLICABLE}


def test_without_the_extension_or_the_right_to_it(cluster, look, reader, index_terms, sql, table):  # noqa: PLR0917
    filled(sql, table, 60_000, keep=4)
    cluster.create_user("plain")
    snapshot, _ = upkeep_indexes.indexes(
        target_of(cluster, "plain"), index_terms.bloat, maintainer="clo_ops_maintainer"
    )
    assert snapshot.server.pgstattuple is None
    choice = rebuilds.choose(snapshot, index_terms, rebuilds.Known(datetime.now(UTC), {}))
    one = next(one for one in choice.unmeasured if one.index.name == f"{table}_note")
    assert "cannot be told yet" in one.why_not
    status = {one.subject: one.status for one in rebuilds.judge(choice)}
    assert status[f"public.{table}_note"] is Status.UNKNOWN, "nobody could tell: never green"


def test_nobody_answers_and_it_is_said(reader, index_terms):
    nowhere = replace(reader, port=1, connect_timeout=1.0)
    snapshot, answer = upkeep_indexes.indexes(nowhere, index_terms.bloat, maintainer="x")
    assert snapshot is None
    assert [one.question for one in answer.unanswered] == ["the state of the indexes"]


def test_index_being_built_by_somebody_is_no_leftover(sql, app, table, look, in_a_thread):
    filled(sql, table, 1000)
    holder = app(autocommit=False)
    holder.execute(f"insert into {table} (note) values ('open')")
    builder = app(name="builder")
    with in_a_thread(lambda: builder.execute(f"create index concurrently {table}_par on {table} (par)")):
        until(lambda: invalid(sql))
        found = half_built.sort(look()[0], [])
        holder.commit()
    assert [one.name for one in found.building] == [f"{table}_par"]
    assert found.foreign == ()
