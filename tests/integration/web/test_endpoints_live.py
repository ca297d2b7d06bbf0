"""DM-13, DM-14 and DM-15 against the running demo system: healthy, broken by its switches, stopped, unreachable."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from clo_ops.findings import Status, worst
from clo_ops.probes import web, websocket
from clo_ops.rules import endpoints as endpoints_rule
from clo_ops.rules import frontend as frontend_rule
from clo_ops.rules import websocket as websocket_rule

AT = datetime(2026, 11, 23, 8, tzinfo=UTC)


@pytest.fixture
def dm13(site, account, policy):
    def run(target=site.api):
        answer = web.endpoints(target, policy.endpoints, account, policy.access)
        return endpoints_rule.judge(answer, policy.endpoints, at=AT)

    return run


@pytest.fixture
def dm14(site, policy):
    def run(target=site.frontend):
        return frontend_rule.judge(web.frontend(target, policy.frontend), policy.frontend, at=AT)

    return run


@pytest.fixture
def dm15(site, account, policy):
    def run(target=site.api):
        answer = websocket.round_trip(target, policy.websocket, account, policy.access)
        return websocket_rule.judge(answer, policy.websocket, at=AT)

    return run


def nowhere(target):
    return replace(target, base_url="http://nobody.invalid")


def red(findings) -> set[str]:
    return {f"{one.name} {one.subject}" for one in findings if one.status is Status.FAIL}


def test_a_healthy_api_passes(dm13, policy):
    found = dm13()
    assert worst(found) is Status.PASS, [one.message for one in found if one.status is not Status.PASS]
    assert {one.subject for one in found} == {one.name for one in policy.endpoints}


@pytest.mark.parametrize(
    ("switch", "expected"),
    [
        ("slow-endpoint", {"endpoint latency portfolios"}),
        ("endpoint-error", {"endpoint status portfolios", "endpoint body portfolios"}),
        ("endpoint-wrong-body", {"endpoint body portfolios", "endpoint body monitoring health"}),
    ],
)
def test_a_broken_endpoint_is_named_and_only_it(site, dm13, switch, expected):
    with site.broken(switch):
        found = dm13()
    assert red(found) == expected
    assert {one.status for one in found} == {Status.PASS, Status.FAIL}


def test_a_stopped_api_is_down_for_all_its_endpoints(site, dm13, dm15, policy):
    with site.broken("stopped-api"):
        found, socket = dm13(), dm15()
    assert red(found) == {f"endpoint up {one.name}" for one in policy.endpoints}
    assert red(socket) == {"websocket up /api/v1/ws"}


def test_an_unreachable_api_is_unknown(site, dm13, dm15, policy):
    found = dm13(nowhere(site.api))
    assert [one.status for one in found] == [Status.UNKNOWN] * len(policy.endpoints)
    assert "nobody.invalid" in found[0].message
    assert {one.status for one in dm15(nowhere(site.api))} == {Status.UNKNOWN}


def test_a_broken_login_leaves_open_what_is_behind_it(site, dm13):
    with site.broken("login-broken"):
        found = dm13()
    assert worst(found) is Status.UNKNOWN
    assert {one.subject for one in found if one.status is Status.PASS} == {"health", "monitoring health"}


def test_a_healthy_frontend_passes(dm14):
    found = dm14()
    assert worst(found) is Status.PASS, [one.message for one in found if one.status is not Status.PASS]
    assert {"/assets/app.css", "/assets/app.js"} <= {one.subject for one in found}


def test_a_broken_frontend_is_seen(site, dm14):
    with site.broken("missing-asset"):
        assert red(dm14()) == {"page asset /assets/app.js"}
    with site.broken("frontend-wrong-page"):
        assert {"page title /", "page marker /"} <= red(dm14())
    with site.broken("stopped-frontend"):
        assert red(dm14()) == {"frontend up /"}
    assert {one.status for one in dm14(nowhere(site.frontend))} == {Status.UNKNOWN}


def test_a_healthy_websocket_passes(dm15):
    found = dm15()
    assert worst(found) is Status.PASS, [one.message for one in found if one.status is not Status.PASS]
    assert len(found) == 5


@pytest.mark.parametrize(
    ("switch", "expected", "said"),
    [
        ("websocket-mute", "websocket up /api/v1/ws", "no pong within 3 s"),
        ("websocket-wrong-echo", "websocket echo /api/v1/ws", "instead of the nonce sent"),
    ],
)
def test_a_broken_websocket_is_seen(site, dm15, switch, expected, said):
    with site.broken(switch):
        found = dm15()
    assert red(found) == {expected}
    assert any(said in one.message for one in found)
