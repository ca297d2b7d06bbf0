"""DM-14: our page, all of its assets, in time; total time at, below and above both limits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.findings import Answer, Measurement, Status, Unanswered
from clo_ops.policy.morning import Asset, Frontend
from clo_ops.rules import frontend

AT = datetime(2026, 11, 23, 8, tzinfo=UTC)
POLICY = Frontend(
    connection="clo_frontend",
    path="/",
    title="CLO Management System",
    marker='data-app="clo"',
    assets=(Asset(path="/assets/app.js", content_types=("text/javascript",)),),
    warning=timedelta(seconds=2),
    critical=timedelta(seconds=5),
    manual="L35",
)


def bools(name: str, value: float, detail: str = "", **labels: str) -> Measurement:
    return Measurement(name, value, "bool", AT, labels, detail)


def answer(ms=100.0, *, status=200, title=1.0, marker=1.0, asset=1.0, detail="") -> Answer:
    return Answer(
        (
            bools("frontend.up", 1),
            Measurement("frontend.page.status_code", status, "count", AT),
            bools("frontend.title.matches", title, "title is 'x'"),
            bools("frontend.marker.present", marker),
            bools("frontend.asset.loaded", asset, detail, asset="/assets/app.js"),
            Measurement("frontend.load.duration", ms, "ms", AT),
        )
    )


def judged(given: Answer) -> dict[str, Status]:
    return {one.name: one.status for one in frontend.judge(given, POLICY, at=AT)}


@pytest.mark.parametrize(
    ("ms", "status"),
    [
        (1999.9, Status.PASS),
        (2000.0, Status.PASS),
        (2000.1, Status.WARN),
        (4999.9, Status.WARN),
        (5000.0, Status.WARN),
        (5000.1, Status.FAIL),
    ],
)
def test_total_time_is_judged_strictly(ms, status):
    assert judged(answer(ms))["load time"] is status


def test_a_whole_page_passes():
    assert set(judged(answer()).values()) == {Status.PASS}


@pytest.mark.parametrize(
    ("change", "name"),
    [({"title": 0.0}, "page title"), ({"marker": 0.0}, "page marker"), ({"status": 503}, "page status")],
)
def test_another_page_fails(change, name):
    assert judged(answer(**change))[name] is Status.FAIL


def test_a_bad_asset_is_named_and_the_time_without_it_not_judged():
    found = frontend.judge(answer(asset=0.0, detail="HTTP 404"), POLICY, at=AT)
    (bad,) = [one for one in found if one.status is Status.FAIL]
    assert (bad.name, bad.subject, bad.actual) == ("page asset", "/assets/app.js", "HTTP 404")
    assert "load time" not in {one.name for one in found}


def test_a_page_that_loads_nothing_fails():
    bare = Answer(tuple(one for one in answer().measurements if one.name != "frontend.asset.loaded"))
    assert judged(bare)["page asset"] is Status.FAIL


def test_down_fails_and_silence_is_unknown():
    assert judged(Answer((bools("frontend.up", 0, "connection refused"),))) == {"frontend up": Status.FAIL}
    silent = Unanswered("frontend page", "http://clo", "GET http://clo/", "name does not resolve", AT)
    assert list(judged(Answer(unanswered=(silent,))).values()) == [Status.UNKNOWN]
    assert judged(Answer()) == {"frontend up": Status.UNKNOWN}


@pytest.mark.parametrize("missing", ["frontend.title.matches", "frontend.marker.present", "frontend.load.duration"])
def test_what_was_not_measured_is_unknown(missing):
    partial = Answer(tuple(one for one in answer().measurements if one.name != missing))
    assert Status.UNKNOWN in judged(partial).values()
