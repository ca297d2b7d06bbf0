"""A page that must be there and must not open without a login, asked of small real servers (RP-05)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from clo_ops.findings import Status
from clo_ops.policy import load_policy
from clo_ops.probes.targets import WebTarget
from clo_ops.probes.web_door import door
from clo_ops.rules.operations_page import judge_door
from demo.stack.ports import free_port
from tests.unit.probes.web.conftest import Page

PATH = "/clo-ops/operations"
POLICY = load_policy(mode="demo")


def judged(target: WebTarget) -> tuple[Status, str]:
    (found,) = judge_door(door(target, PATH), POLICY)
    return found.status, found.actual


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (Page(401), (Status.PASS, "401")),
        (Page(302, headers={"Location": "/login"}), (Status.PASS, "302")),
        (Page(200), (Status.FAIL, "open to all")),
        (Page(500), (Status.FAIL, "500")),
    ],
)
def test_the_door_is_there_and_shut(serve: Callable[[dict[str, Any]], Any], page: Page, expected: tuple[Status, str]):
    assert judged(serve({PATH: page}).target()) == expected


def test_a_server_without_our_pages_and_none_at_all(serve: Callable[[dict[str, Any]], Any]):
    assert judged(serve({}).target()) == (Status.FAIL, "404")
    assert judged(WebTarget(f"http://127.0.0.1:{free_port()}", connect_timeout=1.0)) == (Status.FAIL, "nothing listens")
    assert judged(WebTarget("http://no-such-host.invalid", connect_timeout=2.0))[0] is Status.UNKNOWN
