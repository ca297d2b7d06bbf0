"""AL-04's question: how quick a reply was, and that an error page is no reply however quick it comes."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from clo_ops.findings import Answer
from clo_ops.policy import load_policy
from clo_ops.probes.targets import Account, PostgresTarget
from clo_ops.probes.watch import questions

POLICY = load_policy()
DURATION = "http.client.request.duration"


def asked(site) -> dict[str, Answer]:
    """What each endpoint's question of one look is answered."""
    reach = SimpleNamespace(
        postgres=PostgresTarget("127.0.0.1", 1, "clo", "nobody"),
        account=Account("probe", ""),
        prometheus=None,
        host=lambda name, conn_id: SimpleNamespace(),
        web=lambda conn_id: site.target(),
    )
    policy = POLICY.model_copy(update={"hosts": ()})
    at = datetime.now(UTC)
    return {one.name: one.ask(at) for one in questions(policy, reach) if one.name.startswith("endpoint")}


def page(status):
    return SimpleNamespace(status=status, body=b"{}", content_type="application/json", headers={})


@pytest.mark.parametrize(("status", "measured"), [(200, True), (500, False), (503, False), (302, False), (404, False)])
def test_only_the_reply_that_policy_expects_is_measured(serve, status, measured):
    site = serve({"/health": page(status)})
    answer = asked(site)["endpoint health"]
    assert (answer.first(DURATION) is not None) is measured
    assert answer.value("http.response.status_code") == status
