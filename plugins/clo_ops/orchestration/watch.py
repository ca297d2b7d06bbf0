"""The watch: looks every few seconds, judges every alert rule, and takes what it sees to the incident desk.

One look is: ask (side by side, each question bounded), the statistic over each series' window, one step of each
alert's state, its incident opened, told or closed, whatever else is due told and delivered, a sign of life. What an
alert remembers is in the ledger, so that a watch started again goes on where the last one was killed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Iterator, Mapping, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from clo_ops.findings import Answer, Measurement
from clo_ops.ledger import AlertRow
from clo_ops.orchestration.watch_telling import Key, Opened, Teller
from clo_ops.rules.alerts import Event, Level, State, step
from clo_ops.rules.watching import cause_of
from clo_ops.rules.windows import Window

if TYPE_CHECKING:
    from clo_ops.escalation.desk import Cycle, Desk
    from clo_ops.ledger import Ledger
    from clo_ops.policy import Policy
    from clo_ops.policy.thresholds import Threshold
    from clo_ops.probes.watch import Asked

log = logging.getLogger(__name__)
# A series counts as silent after this many looks without a sample.
SILENT_LOOKS = 3
# Of rules per these policy itself names every series there is.
ENUMERATED = (("host",), ("host", "mount"), ("endpoint",), ("source",))
LEFT_OUT = "Policy does not name it any more"
HEARTBEAT = "watch"


@dataclass(frozen=True, slots=True)
class Look:
    """What one look did. ``alerts`` is how many were judged, ``silent`` the questions nobody answered."""

    at: datetime
    alerts: int
    silent: tuple[str, ...]
    opened: tuple[Opened, ...]
    cycle: Cycle


@dataclass
class Watch:
    """``beside`` are rounds made with every look, before ``deliver`` sends what is in the outbox.

    Raises LedgerUnavailable where the ledger does not answer.
    """

    policy: Policy
    questions: list[Asked]
    ledger: Ledger
    desk: Desk
    deliver: Callable[[datetime], object]
    beside: Sequence[Callable[[datetime], object]] = ()
    _pool: ThreadPoolExecutor = field(init=False)
    _asked: dict[str, Future[Answer]] = field(default_factory=dict, init=False)
    _windows: dict[Key, Window] = field(default_factory=dict, init=False)
    _states: dict[Key, State] | None = field(default=None, init=False)
    _began: datetime | None = field(default=None, init=False)
    _heard: dict[str, datetime] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(max(4, len(self.questions)), thread_name_prefix="watch")

    def close(self) -> None:
        """Wait for nobody: a question that hangs ends by its own time limit."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def look(self, now: datetime) -> Look:
        """One look at everything, at ``now`` (aware)."""
        self._began = self._began or now
        answer, silent = self._ask(now)
        opened = self._judged_and_told(answer, silent, now)
        for round_of in self.beside:
            round_of(now)
        cycle = self.desk.cycle(now)
        self.deliver(now)
        alerts = len(self._known())
        self.ledger.beat(HEARTBEAT, now, f"{alerts} alerts, {len(silent)} questions unanswered")
        return Look(now, alerts, tuple(silent), tuple(opened), cycle)

    def _judged_and_told(self, answer: Answer, silent: list[str], now: datetime) -> list[Opened]:
        """An alert's new state and the incident it causes are kept together, or neither is."""
        try:
            with self.ledger.transaction():
                self._forget_what_policy_left_out(now)
                events = list(self._judge(answer, silent, self._known(), now))
                teller = Teller(self.policy, self.desk, self._known())
                return [one for one in (teller.told(key, event, now) for key, event in events) if one is not None]
        except BaseException:
            self._states = None
            raise

    def _ask(self, now: datetime) -> tuple[Answer, list[str]]:
        """All questions side by side. One still hanging from an earlier look is not asked a second time."""
        for one in self.questions:
            if one.name not in self._asked:
                self._asked[one.name] = self._pool.submit(one.ask, now)
        wait(self._asked.values(), timeout=self.policy.alerting.watch.answer_within.total_seconds())
        answer, silent = Answer(), []
        for one in self.questions:
            if not self._asked[one.name].done():
                silent.append(one.name)
                continue
            given = _answer(self._asked.pop(one.name), one.name)
            silent += [one.name] if given is None or given.unanswered else []
            answer += given or Answer()
        return answer, silent

    def _known(self) -> dict[Key, State]:
        if self._states is None:
            rows = self.ledger.alerts()
            self._states = {_key(row.rule, row.labels): _state(row.state) for row in rows}
        return self._states

    def _judge(
        self, answer: Answer, silent: Sequence[str], states: dict[Key, State], now: datetime
    ) -> Iterator[tuple[Key, Event]]:
        """Step every alert there is; yields those of which the world is told."""
        changed: list[AlertRow] = []
        over: list[Key] = []
        unasked = {metric for one in self.questions if one.name in silent for metric in one.metrics}
        self._heard |= {metric: now for one in self.questions for metric in one.metrics if one.name not in silent}
        for name, threshold in self.policy.thresholds.items():
            for key, value in self._values(name, threshold, answer, states, now, unasked=unasked).items():
                before = states.get(key, State())
                after, event = step(before, value, threshold, self.policy.alerting.flapping, now)
                if event is not None:
                    yield key, event
                if _forgettable(after, threshold):
                    over += [key] if key in states else []
                    continue
                states[key] = after
                if after != before:
                    changed.append(_row(key, after, value, now))
        self.ledger.record_alerts(changed)
        self._forget(over, states)

    def _forget_what_policy_left_out(self, now: datetime) -> None:
        """A host, mount, endpoint, log or rule that is named no more is missed by nobody: its incident is over."""
        if self._states is not None:
            return
        gone = [key for key in self._known() if not self._named(key)]
        if not gone:
            return
        self._forget(gone, self._known())
        for name, labels in gone:
            self.desk.clear(cause_of(name, dict(labels)), now, LEFT_OUT)
        Teller(self.policy, self.desk, self._known()).clear_silences(now, LEFT_OUT)

    def _named(self, key: Key) -> bool:
        threshold = self.policy.thresholds.get(key[0])
        if threshold is None or threshold.per not in ENUMERATED:
            return threshold is not None
        return key in {_key(key[0], labels) for labels in self._expected(threshold)}

    def _forget(self, over: Sequence[Key], states: dict[Key, State]) -> None:
        kept = [(name, dict(labels)) for name, labels in over]
        self.ledger.forget_alerts(kept)
        for key in over:
            del states[key]

    def _values(
        self,
        name: str,
        threshold: Threshold,
        answer: Answer,
        states: Mapping[Key, State],
        now: datetime,
        *,
        unasked: Container[str],
    ) -> dict[Key, float | None]:
        """The statistic of every series of a rule; None for one that must be there and has no sample."""
        samples = {_key(name, one.labels): one for one in answer.select(threshold.metric) if _fits(one, threshold)}
        known = {key for key in states if key[0] == name}
        expected = {_key(name, labels) for labels in self._expected(threshold)}
        if threshold.statistic == "sum":
            silent = threshold.metric in unasked
            if silent and self._lately(self._heard.get(threshold.metric), now):
                return {}
            return _counted(samples, known, expected, unasked=silent)
        every = sorted(samples.keys() | known | expected)
        found = {key: self._over_its_window(key, samples.get(key), threshold, now) for key in every}
        # A watch that has only begun has heard of nobody yet; that is no silence.
        starting = self._lately(None, now)
        return {key: value for key, value in found.items() if value is not None or not starting}

    def _lately(self, heard: datetime | None, now: datetime) -> bool:
        """One answer that came too late is no silence: several looks in a row are."""
        return now - (heard or self._began or now) <= SILENT_LOOKS * self.policy.alerting.watch.every

    def _over_its_window(
        self, key: Key, sample: Measurement | None, threshold: Threshold, now: datetime
    ) -> float | None:
        window = self._windows.setdefault(key, Window(threshold.window))
        if sample is not None:
            window.add(now, sample.value)
        return window.value(threshold.statistic, now, SILENT_LOOKS * self.policy.alerting.watch.every)

    def _expected(self, threshold: Threshold) -> Iterator[dict[str, str]]:
        """The series there must be, so that what never answered is missed."""
        if threshold.per == ("host",):
            yield from ({"host": host.name} for host in self.policy.hosts)
        elif threshold.per == ("host", "mount"):
            yield from ({"host": host.name, "mount": mount} for host in self.policy.hosts for mount in host.mounts)
        elif threshold.per == ("endpoint",):
            yield from ({"endpoint": one.name} for one in self.policy.endpoints if not one.authenticated)
        elif threshold.per == ("pool",):
            yield {"pool": "server"}
        elif threshold.per == ("source",):
            yield from ({"source": one.name} for one in self.policy.alerting.error_logs)
        elif not threshold.per:
            yield {}


def _fits(one: Measurement, threshold: Threshold) -> bool:
    """A rule per principal is not for the total, nor the other way round."""
    return (
        set(one.labels) == set(threshold.per) if threshold.statistic == "sum" else set(threshold.per) <= set(one.labels)
    )


def _key(name: str, labels: Mapping[str, str]) -> Key:
    return name, tuple(sorted(labels.items()))


def _counted(
    samples: Mapping[Key, Measurement], known: Set[Key], expected: Set[Key], *, unasked: bool
) -> dict[Key, float | None]:
    """The source counted over the window itself. Whom it does not name any more did nothing; silence is silence.

    A series that must be there and was not counted has no data. When the source was silent only that one has none: one
    alert for one silence.
    """
    if unasked:
        return dict.fromkeys(sorted(expected))
    counted: dict[Key, float | None] = dict.fromkeys(known - expected, 0.0)
    counted |= dict.fromkeys(expected)
    return dict(sorted((counted | {key: one.value for key, one in samples.items()}).items()))


def _forgettable(state: State, threshold: Threshold) -> bool:
    """A series somebody outside named (a user, a source) is kept only while there is something to remember of it."""
    calm = state.level is Level.OK and state.told is Level.OK and not state.flapping and not state.changed
    return threshold.statistic == "sum" and bool(threshold.per) and calm and state.over_warning is None


def _answer(asked: Future[Answer], name: str) -> Answer | None:
    """A probe never raises for a system that cannot be reached; one that does is a fault of ours, and no answer."""
    try:
        return asked.result()
    except Exception:
        log.exception("the watch's question %s broke off", name)
        return None


def _row(key: Key, state: State, value: float | None, now: datetime) -> AlertRow:
    plain = {name: _plain(part) for name, part in asdict(state).items()}
    return AlertRow(key[0], dict(key[1]), plain, state.level.name.lower(), value, now)


def _plain(part: Any) -> Any:
    if isinstance(part, datetime):
        return part.isoformat()
    if isinstance(part, tuple):
        return [_plain(one) for one in part]
    return part.name.lower() if isinstance(part, Level) else part


def _state(plain: Mapping[str, Any]) -> State:
    """What was written down before; what it misses is as at first."""

    def moment(name: str) -> datetime | None:
        written = plain.get(name)
        return datetime.fromisoformat(written) if written else None

    return State(
        level=Level[plain.get("level", "ok").upper()],
        since=moment("since"),
        over_warning=moment("over_warning"),
        over_critical=moment("over_critical"),
        changed=tuple(datetime.fromisoformat(one) for one in plain.get("changed", ())),
        flapping=bool(plain.get("flapping")),
        told=Level[plain.get("told", "ok").upper()],
        rising=plain.get("rising"),
    )
