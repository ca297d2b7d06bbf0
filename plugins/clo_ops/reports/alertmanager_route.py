"""The route of Alertmanager from the same policy: every alert goes back to CLO Ops, which tells by its ladders (IR-02).

With ``mail`` Alertmanager mails as well, whoever policy tells at once: a second way that does not need CLO Ops, at the
price of two mails for one alert.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import yaml

from clo_ops.findings import Severity
from clo_ops.policy import Policy
from clo_ops.reports.prometheus_rules import ALIVE, LEVEL, RULE, promql_time
from clo_ops.rules.rota import people

# Alertmanager forgets what it told after 120 h, and would repeat it then all the same.
LONGEST_REPEAT = timedelta(days=5)
# More than fit in one notification are counted in it, and told as such.
MOST_AT_ONCE = 1000
HEAD = """\
# Made from include/policy by `make prometheus-rules`: edit that, not this file.
# Checked with: amtool check-config alertmanager.yml
#
# {token_file} holds the secret of CLO_OPS_ALERTMANAGER_TOKEN (or of the connection clo_alertmanager), readable by
# Alertmanager alone. What Alertmanager cannot say, CLO Ops does: who is on call (the rota), the ladders and their
# times, acknowledgement, status updates. {mail}
"""


@dataclass(frozen=True, slots=True)
class Where:
    """``webhook`` is CLO Ops' own address; ``smarthost`` and ``sender`` are for mail, empty for none of it."""

    webhook: str
    token_file: str
    smarthost: str = ""
    sender: str = ""


def alertmanager_route(policy: Policy, where: Where, at: datetime) -> str:
    """The configuration file. With mail, who is on call is who is so at ``at``: renew the file at the hand-over."""
    facts: dict[str, Any] = {}
    if where.smarthost:
        facts["global"] = {"smtp_smarthost": where.smarthost, "smtp_from": where.sender}
    facts["route"] = _route(policy)
    facts["inhibit_rules"] = [
        {
            "source_matchers": [f'{LEVEL}="critical"'],
            "target_matchers": [f'{LEVEL}="warning"'],
            "equal": [RULE, *_labels(policy)],
        }
    ]
    facts["receivers"] = list(_receivers(policy, where, at))
    mail = f"Mail: who is told at once, as of {at:%Y-%m-%d}." if where.smarthost else "It mails nobody by itself."
    return HEAD.format(token_file=where.token_file, mail=mail) + yaml.safe_dump(facts, sort_keys=False, width=120)


def _labels(policy: Policy) -> list[str]:
    return sorted({label for threshold in policy.thresholds.values() for label in threshold.per})


def _route(policy: Policy) -> dict[str, Any]:
    minute = timedelta(minutes=1)
    alive = {"matchers": [f'alertname="{ALIVE}"'], "receiver": "clo-ops"} | _times(minute, minute)
    by_severity = [
        {"matchers": [f'severity="{one.value}"'], "receiver": receiver(one)}
        | _times(minute, min(policy.severities[one].update_every, LONGEST_REPEAT))
        for one in Severity
    ]
    # All levels of one series are one group: its end at one level comes with its begin at the other.
    grouped = {"receiver": "clo-ops", "group_by": ["alertname", *_labels(policy)]}
    waits = {"group_wait": promql_time(policy.alerting.watch.every), **_times(minute, timedelta(hours=4))}
    return {**grouped, **waits, "routes": [alive, *by_severity]}


def _times(interval: timedelta, repeat: timedelta) -> dict[str, str]:
    return {"group_interval": promql_time(interval), "repeat_interval": promql_time(repeat)}


def receiver(severity: Severity) -> str:
    """The name of a priority's receiver."""
    return f"clo-ops-{severity.value}"


def _receivers(policy: Policy, where: Where, at: datetime) -> Iterable[dict[str, Any]]:
    yield {"name": "clo-ops", "webhook_configs": [_back(where)]}
    for severity in Severity:
        one: dict[str, Any] = {"name": receiver(severity), "webhook_configs": [_back(where)]}
        told = at_once(policy, severity, at)
        if where.smarthost and told:
            one["email_configs"] = [{"to": address, "send_resolved": True} for address in told]
        yield one


def _back(where: Where) -> dict[str, Any]:
    secret = {"authorization": {"type": "Bearer", "credentials_file": where.token_file}}
    return {"url": where.webhook, "send_resolved": True, "max_alerts": MOST_AT_ONCE, "http_config": secret}


def at_once(policy: Policy, severity: Severity, at: datetime) -> list[str]:
    """The mail addresses of everybody whom policy tells at once, unless a person must release the text first."""
    groups = [
        notice.group for notice in policy.severities[severity].notify if not notice.within and not notice.only_when
    ]
    names = people((name for group in groups for name in policy.contacts.groups[group]), at, policy)
    found = (policy.contacts.people[name].email for name in names)
    return list(dict.fromkeys(one for one in found if one))
