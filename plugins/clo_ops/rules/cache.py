"""WM-04 and WM-05: what the cache holds, and how its memory stands (manual L102-L106; D11 to D14)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from clo_ops.findings import Answer, Finding, Measurement, Severity, Status, unanswered_findings
from clo_ops.policy.cache import Cache
from clo_ops.rules.figures import figure
from clo_ops.rules.verdicts import Case

KEYS, MEMORY = "WM-04", "WM-05"
MANUAL = {KEYS: "L102-L103", MEMORY: "L105-L106"}
REACH = "Check the connection clo_redis_maintenance, and what its user may ask (docs/cache.md)."
COUNTERS = ("redis.evicted_keys.total", "redis.keyspace_hits.total", "redis.keyspace_misses.total")


def _case(procedure: str, name: str, expected: str, action: str, subject: str = "") -> Case:
    return Case(procedure, name, expected, Severity.P3, action, MANUAL[procedure], subject)


def wrong_server(procedure: str, state: Answer) -> list[Finding]:
    """A replica is no place to judge or change anything (D14), and of a cluster one node is not all there is."""
    primary, alone = state.first("redis.primary"), state.first("redis.alone")
    if primary is not None and not primary.value:
        case = _case(procedure, "the right server", "the primary", "Correct the connection clo_redis_maintenance.")
        return [case.warned(primary.detail, f"Nothing was looked at or changed there: {primary.detail}")]
    if alone is not None and not alone.value:
        why = f"Nothing was looked at or changed there: {alone.detail}, keys of the others would be forgotten."
        return [Finding(procedure, "the right server", Status.NOT_APPLICABLE, "a server of its own", alone.detail, why)]
    return []


def judge_keys(answer: Answer, cache: Cache) -> list[Finding]:
    """``keys that may go`` for each pattern, ``keys without a time to live``, ``large keys``, ``all keys seen``.

    None found is fine. More keys without a time to live than ``endless_warning`` (strictly), or any key of
    ``large_key`` bytes or more, warns: nothing of that is removed by us. What was not looked at is unknown.
    """
    findings = unanswered_findings(KEYS, answer, Severity.P3, REACH)
    if answer.first("redis.key.seen") is None:
        return findings or [_case(KEYS, "keys seen", "a look at the keys", REACH).not_measured()]
    return [*findings, *_due(answer, cache), _endless(answer, cache), _large(answer, cache), _seen(answer)]


def _due(answer: Answer, cache: Cache) -> Iterator[Finding]:
    for one in cache.remove:
        count = answer.value("cache.due.count", pattern=one.pattern) or 0.0
        size = figure(answer.value("cache.due.bytes", pattern=one.pattern) or 0.0, "bytes")
        case = _case(KEYS, "keys that may go", "counted; none is fine", "Read the plan.", one.pattern)
        said = f"{count:,.0f} keys like {one.pattern}, about {size}" if count else f"no keys like {one.pattern}"
        yield case.passed(f"{count:,.0f}", said)


def _endless(answer: Answer, cache: Cache) -> Finding:
    found = list(answer.select("redis.key.endless"))
    total, allowed = sum(one.value for one in found), cache.endless_warning
    action = (
        "Give these keys a time to live where they are written, or name them in endless_allowed of maintenance.yaml."
    )
    case = _case(KEYS, "keys without a time to live", f"at most {allowed:,}", action)
    by = ", ".join(f"{one.value:,.0f} {one.labels['namespace']}" for one in found[:5])
    said = f"{total:,.0f} keys have no time to live" + (f" ({by})" if by else "")
    return case.warned(f"{total:,.0f}", said) if total > allowed else case.passed(f"{total:,.0f}", said)


def _large(answer: Answer, cache: Cache) -> Finding:
    limit = figure(cache.large_key, "bytes")
    action = "Split what is in them where they are written: to read or remove a large value holds up everybody."
    case = _case(KEYS, "large keys", f"none of {limit} or more", action)
    count = answer.first("redis.key.large.count")
    if count is None:
        return case.not_measured()
    largest = ", ".join(
        f"{one.labels['key']} ({figure(one.value, 'bytes')})" for one in answer.select("redis.key.large")
    )
    if count.value:
        return case.warned(f"{count.value:.0f}", f"{count.value:.0f} of the keys measured are that large: {largest}")
    return case.passed("none", f"none of the keys measured is that large ({count.detail})")


def _seen(answer: Answer) -> Finding:
    (seen,) = answer.select("redis.key.seen")
    spaces = list(answer.select("redis.key.count"))
    by = ", ".join(f"{one.value:,.0f} {one.labels['namespace']}" for one in spaces[:5])
    said = f"{seen.value:,.0f} keys were looked at, {seen.detail}" + (f": {by}" if by else "")
    return _case(KEYS, "keys seen", "counted by namespace", REACH).passed(f"{seen.value:,.0f}", said)


def judge_memory(answer: Answer, earlier: Sequence[Measurement], cache: Cache, why_no_purge: str) -> list[Finding]:
    """``memory``, ``evictions``, ``hit rate`` since the last look on record, and ``memory given back`` where it is not.

    ``earlier`` are the counters of the last look. Any eviction warns: sessions may lie in the same server. A hit rate
    of fewer reads than ``hit_rate_from`` is not told.
    """
    findings = unanswered_findings(MEMORY, answer, Severity.P3, REACH)
    if answer.first("redis.memory.used") is None:
        return findings or [_case(MEMORY, "memory", "memory measured", REACH).not_measured()]
    findings += [_memory(answer), _evictions(answer, earlier), _hit_rate(answer, earlier, cache)]
    if why_no_purge:
        findings.append(_not_called_for(why_no_purge, cache))
    return findings


def _memory(answer: Answer) -> Finding:
    names = ("used", "peak", "resident")
    sizes = {name: answer.value(f"redis.memory.{name}") for name in names}
    said = ", ".join(f"{name} {figure(size, 'bytes')}" for name, size in sizes.items() if size is not None)
    ratio = answer.first("redis.memory.fragmentation")
    if ratio is not None:
        said += f", fragmentation {ratio.value:g} ({ratio.detail})"
    return _case(MEMORY, "memory", "measured", REACH).passed(said, said)


def _since(answer: Answer, earlier: Sequence[Measurement], name: str) -> tuple[float, str]:
    """How far a counter went since the last look; since the server's start where there was none, or it began anew."""
    now = answer.value(name) or 0.0
    before = next((one.value for one in earlier if one.name == name), None)
    if before is None or before > now:
        return now, "since the server started"
    return now - before, "since the last look"


def _evictions(answer: Answer, earlier: Sequence[Measurement]) -> Finding:
    count, since = _since(answer, earlier, COUNTERS[0])
    action = "Compare used memory with maxmemory and maxmemory-policy; sessions in the same server may be among them."
    case = _case(MEMORY, "evictions", "none", action)
    said = f"{count:,.0f} keys were evicted for want of memory {since}"
    return case.warned(f"{count:,.0f}", said) if count else case.passed("0", said)


def _hit_rate(answer: Answer, earlier: Sequence[Measurement], cache: Cache) -> Finding:
    (hits, since), (misses, _) = (_since(answer, earlier, name) for name in COUNTERS[1:])
    reads = hits + misses
    case = _case(MEMORY, "hit rate", f"told from {cache.hit_rate_from:,} reads on", REACH)
    if reads < cache.hit_rate_from:
        said = f"{reads:,.0f} reads {since} are too few to tell a rate"
        return Finding(MEMORY, case.name, Status.NOT_APPLICABLE, case.expected, f"{reads:,.0f} reads", said)
    rate = figure(100 * hits / reads, "percent")
    return case.passed(rate, f"{rate} of {reads:,.0f} reads were hits {since}")


def _not_called_for(why: str, cache: Cache) -> Finding:
    size = figure(cache.purge.used_memory, "bytes")
    return Finding(
        procedure=MEMORY,
        name="memory given back",
        status=Status.NOT_APPLICABLE,
        expected=f"MEMORY PURGE from fragmentation {cache.purge.ratio:g} and {size} used on",
        actual="not called for",
        message=f"MEMORY PURGE was not called for: {why} (manual {MANUAL[MEMORY]}).",
    )
