"""DM-13's probe: each endpoint on its own, median of its samples, body checked, one session opened and closed."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import pytest

from clo_ops.policy.system import BodyCheck, Endpoint
from clo_ops.probes import web
from clo_ops.probes.exchange import Reply
from clo_ops.probes.targets import Account, WebTarget

ACCOUNT = Account("probe", "right-password")
LOGIN, LOGOUT = "/api/v1/auth/login", "/api/v1/auth/logout"


def page(status=200, body=b"{}", content_type="application/json", **headers):
    return SimpleNamespace(status=status, body=body, content_type=content_type, headers=headers)


def endpoint(name="one", path="/one", **more) -> Endpoint:
    limits = {"warning": "500 ms", "critical": "1 s", "severity": "P2", "manual": "L34", "expect_status": 200}
    return Endpoint(name=name, path=path, **{**limits, **more})


def login_routes(**more):
    token = json.dumps({"access_token": "tok", "expires_in": 60}).encode()
    return {LOGIN: page(body=token), LOGOUT: page(204, b""), **more}


def paths(site) -> list[str]:
    return [one["path"] for one in site.seen]


def test_each_is_asked_three_times_and_its_median_told(serve):
    waits = iter([0.0, 0.2, 0.0])

    def slow(_):
        time.sleep(next(waits))
        return page()

    site = serve({"/one": slow})
    answer = web.endpoints(site.target(), [endpoint()])
    assert paths(site) == ["/one"] * 3
    assert answer.value("http.up", endpoint="one") == 1
    assert answer.value("http.response.status_code", endpoint="one") == 200
    assert answer.value("http.client.request.duration", endpoint="one") < 150
    assert answer.value("http.client.request.duration.max", endpoint="one") >= 200


def test_an_endpoint_of_another_connection_is_asked_there(serve):
    here, there = serve({"/one": page()}), serve({"/two": page(418)})
    wanted = [endpoint(), endpoint("two", "/two", connection="clo_worker")]
    answer = web.endpoints(here.target(), wanted, elsewhere={"clo_worker": there.target()}, samples=1)
    assert (paths(here), paths(there)) == (["/one"], ["/two"])
    assert answer.value("http.response.status_code", endpoint="two") == 418


def test_one_that_changes_something_is_asked_once(serve):
    site = serve({"/one": page()})
    web.endpoints(site.target(), [endpoint(method="POST")])
    assert paths(site) == ["/one"]


def test_the_first_wrong_reply_speaks_for_it(serve):
    pages = iter([page(), page(500), page()])
    site = serve({"/one": lambda _: next(pages)})
    answer = web.endpoints(site.target(), [endpoint()])
    assert answer.value("http.response.status_code", endpoint="one") == 500
    assert len(site.seen) == 2


def test_a_dead_one_does_not_hide_the_others(serve):
    def hang(_):
        time.sleep(0.8)
        return page()

    site = serve({"/slow": hang, "/one": page()})
    answer = web.endpoints(site.target(read_timeout=0.3), [endpoint("slow", "/slow"), endpoint()])
    assert answer.value("http.up", endpoint="slow") == 0
    assert "no complete reply" in answer.first("http.up", endpoint="slow").detail
    assert answer.value("http.up", endpoint="one") == 1


def test_an_unreachable_host_leaves_every_question_open():
    answer = web.endpoints(WebTarget("http://nobody.invalid"), [endpoint(), endpoint("two")])
    assert answer.measurements == ()
    assert [one.question for one in answer.unanswered] == ["endpoint one", "endpoint two"]
    assert answer.unanswered[0].tried == "GET http://nobody.invalid/one"


def test_a_stopped_server_is_down(closed_port):
    answer = web.endpoints(WebTarget(f"http://127.0.0.1:{closed_port}"), [endpoint()])
    assert answer.first("http.up", endpoint="one").detail == "connection refused"


def test_a_stopped_server_is_down_behind_its_login_too(closed_port):
    target = WebTarget(f"http://127.0.0.1:{closed_port}")
    answer = web.endpoints(target, [endpoint(authenticated=True)], ACCOUNT)
    assert answer.value("http.up", endpoint="one") == 0


def test_one_session_serves_all_and_is_closed(serve):
    site = serve(login_routes(**{"/one": page(), "/two": page()}))
    wanted = [endpoint(authenticated=True), endpoint("two", "/two", authenticated=True), endpoint("open", "/one")]
    web.endpoints(site.target(), wanted, ACCOUNT, samples=1)
    assert paths(site) == [LOGIN, "/one", "/two", "/one", LOGOUT]
    assert [one["headers"].get("Authorization") for one in site.seen] == [
        None, "Bearer tok", "Bearer tok", None, "Bearer tok"
    ]  # fmt: skip


def test_nobody_logs_in_where_nothing_needs_it(serve):
    site = serve(login_routes(**{"/one": page()}))
    web.endpoints(site.target(), [endpoint()], ACCOUNT, samples=1)
    assert paths(site) == ["/one"]


@pytest.mark.parametrize("account", [ACCOUNT, None])
def test_without_a_session_the_question_stays_open(serve, account):
    refusal = json.dumps({"detail": "invalid credentials for right-password"}).encode()
    site = serve({LOGIN: page(401, refusal), "/one": page()})
    answer = web.endpoints(site.target(), [endpoint(authenticated=True), endpoint("open", "/one")], account)
    (silent,) = answer.unanswered
    assert silent.question == "endpoint one"
    assert "right-password" not in str(answer)
    assert answer.value("http.up", endpoint="open") == 1


def test_a_redirect_is_its_own_status_and_says_where_to(serve):
    site = serve({"/one": page(302, b"", Location="/login?token=secret")})
    status = web.endpoints(site.target(), [endpoint()]).first("http.response.status_code")
    assert (status.value, status.detail) == (302, "redirects to /login")


def reply(body: bytes, content_type="application/json", *, truncated=False) -> Reply:
    return Reply(200, {"content-type": content_type}, body, 1.0, "http://clo/", truncated)


@pytest.mark.parametrize(
    ("body", "check"),
    [
        (b'{"status": "healthy"}', {"equals": {"status": "healthy"}}),
        (b'{"a": {"b": 3, "c": true}}', {"equals": {"a.b": "3", "a.c": "true"}, "has": ("a",)}),
        (b'{"items": null}', {"has": ("items",)}),
        (b"all is well", {"contains": "is well"}),
    ],
)
def test_a_right_body(body, check):
    assert web.mismatch(reply(body), BodyCheck(**check)) == ""


@pytest.mark.parametrize(
    ("given", "check", "said"),
    [
        (reply(b'{"status": "degraded"}'), {"equals": {"status": "healthy"}}, "status is 'degraded', not 'healthy'"),
        (reply(b"{}"), {"equals": {"status": "healthy"}}, "key 'status' is missing"),
        (reply(b"[]"), {"has": ("items",)}, "key 'items' is missing"),
        (reply(b'{"a": "x"}'), {"has": ("a.b",)}, "key 'a.b' is missing"),
        (reply(b"<html>", "text/html"), {"has": ("items",)}, "body is not JSON (text/html, 6 bytes)"),
        (reply(b"all is lost"), {"contains": "is well"}, "text 'is well' is missing"),
        (reply(b"is well", truncated=True), {"contains": "is well"}, "body longer than the 7 bytes read"),
        (reply(b"[" * 100_000), {"has": ("items",)}, "body is not JSON (application/json, 100000 bytes)"),
    ],
)
def test_a_wrong_body_says_what_is_wrong(given, check, said):
    assert web.mismatch(given, BodyCheck(**check)) == said
