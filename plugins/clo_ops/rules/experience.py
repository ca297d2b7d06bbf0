"""What users felt: p50, p95 and Apdex of all requests, and each endpoint beside them (M2-03; manual L186)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from clo_ops.findings import Finding, Severity
from clo_ops.findings.roll_ups import RollUp
from clo_ops.policy import Policy
from clo_ops.rules.felt import Felt
from clo_ops.rules.figures import number
from clo_ops.rules.verdicts import Case, ms

PROCEDURE = "M2-03"
NAMES = ("Requests", "p50", "p95", "p99", "Mean", "Apdex", "Failed")
ENDPOINTS = ("endpoint", "samples", "mean", "p50", "p95", "p99", "slowest")


def judge(felt: Felt | None, policy: Policy) -> Iterator[Finding]:
    """p95 strictly over the alert's warning level warns, over its critical level fails; an Apdex below good warns."""
    rule, terms, entry = policy.thresholds["response_time"], policy.performance.apdex, policy.procedures[PROCEDURE]
    low, high = rule.warning.above, rule.critical.above
    action, allowed = entry.first_action, f"at most {ms(low)}, never over {ms(high)}"
    slow = Case(PROCEDURE, "p95 users felt", allowed, Severity.P3, action, "L186")
    index = Case(PROCEDURE, "Apdex", f"at least {terms.good / 100:.2f}", Severity.P3, action, "L186, L335-L337")
    if felt is None:
        why = "no request of users was counted in this month (BH-03)"
        yield slow.not_applicable("no data", why.capitalize())
        yield index.not_applicable("no data", why.capitalize())
        return
    p95 = felt.quantile_ms(0.95)
    said = f"Of {number(felt.requests)} requests 95 % took at most {ms(p95)}, half at most {ms(felt.quantile_ms(0.5))}"
    judged = slow.failed if p95 > high else slow.warned if p95 > low else slow.passed
    yield judged(ms(p95), said)
    value = felt.apdex(terms.satisfied, terms.tolerated)
    told = f"Apdex {value:.3f}, satisfied within {ms(terms.satisfied.total_seconds() * 1000)}"
    good = 100 * value >= terms.good
    yield index.passed(f"{value:.3f}", told) if good else index.warned(f"{value:.3f}", told)


def figures(felt: Felt | None, policy: Policy) -> tuple[str, ...]:
    """The cells under ``NAMES``; without a request none of them is a number."""
    if felt is None:
        return ("none counted", *("no data" for _ in NAMES[1:]))
    terms = policy.performance.apdex
    quantiles = (ms(felt.quantile_ms(share)) for share in (0.5, 0.95, 0.99))
    apdex = felt.apdex(terms.satisfied, terms.tolerated)
    return (f"{felt.requests:,.0f}", *quantiles, ms(felt.mean_ms), f"{apdex:.3f}", f"{felt.failed_percent:.4f} %")


def endpoint_rows(totals: Iterable[RollUp]) -> list[tuple[str, ...]]:
    """Our own probes by endpoint, the slowest p95 first, under ``ENDPOINTS``."""
    known = sorted(totals, key=lambda one: (-one.p95, one.labels.get("endpoint", "")))
    return [
        (one.labels.get("endpoint", ""), f"{one.count:,}", *map(ms, (one.mean, one.p50, one.p95, one.p99, one.highest)))
        for one in known
    ]
