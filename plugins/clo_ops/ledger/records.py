"""What goes into the ledger and comes out of it, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from clo_ops.findings import Severity, Status, Unanswered
from clo_ops.findings.plans import Effect, Step
from clo_ops.ledger.columns import aware

Level = Literal["L0", "L1", "L2", "L3", "L4"]
LEVELS: tuple[Level, ...] = ("L0", "L1", "L2", "L3", "L4")


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run of one DAG. ``status`` and ``closed_at`` are None until it is closed, and again once re-recorded."""

    id: int
    dag_id: str
    run_id: str
    at: datetime
    policy_digest: str
    trigger: str
    opened_at: datetime
    closed_at: datetime | None
    status: Status | None
    counts: Mapping[Status, int]


@dataclass(frozen=True, slots=True)
class ProcedureSeen:
    """How a procedure stands in the newest run (business time ``at``) of its DAG in which it was due."""

    dag_id: str
    procedure: str
    at: datetime
    statuses: frozenset[Status]


@dataclass(frozen=True, slots=True)
class Recording:
    """That a procedure of a run was recorded: by which try, under which policy, what stayed unanswered."""

    procedure: str
    try_number: int
    policy_digest: str
    measured: int
    unanswered: tuple[Unanswered, ...]
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Evidence:
    """A file that lets somebody else check a finding later. ``size`` is bytes, ``sha256`` lower-case hex."""

    uri: str
    sha256: str
    size: int
    media_type: str
    name: str


@dataclass(frozen=True, slots=True)
class StateRow:
    """What was there at a look: key to value."""

    taken_at: datetime
    content: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class BaselineResult:
    """How many series were recorded for the day, and how many already had their value and kept it."""

    inserted: int
    kept: int


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """One cause, one open incident, however often it is seen."""

    id: int
    cause: str
    severity: Severity
    title: str
    procedure: str
    opened_at: datetime
    last_seen_at: datetime
    seen_count: int
    run_id: int | None
    response_due_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str
    escalation_level: int
    escalated_at: datetime | None
    escalated_to: str
    closed_at: datetime | None
    closed_by: str
    close_reason: str
    resolution_due_at: datetime | None = None
    update_due_at: datetime | None = None
    acknowledgement_expired_at: datetime | None = None
    mitigated_at: datetime | None = None
    dag_run: str = ""

    @property
    def open(self) -> bool:
        return self.closed_at is None


EventKind = Literal[
    "opened",
    "seen",
    "severity_raised",
    "severity_lowered",
    "acknowledged",
    "acknowledgement_expired",
    "escalated",
    "told",
    "updated",
    "update_overdue",
    "noted",
    "diagnosed",
    "mitigated",
    "checked",
    "action",
    "reviewed",
    "closed",
]


@dataclass(frozen=True, slots=True)
class IncidentEvent:
    id: int
    incident_id: int
    cause: str
    severity: Severity
    title: str
    kind: EventKind
    at: datetime
    actor: str
    detail: str
    run_id: int | None


@dataclass(frozen=True, slots=True)
class IncidentAction:
    """What a review decided to do: who, by when, and since when it is done."""

    id: int
    incident_id: int
    title: str
    owner: str
    due_at: datetime
    done_at: datetime | None
    done_by: str


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One alert as last looked at. ``state`` is the rule's memory as plain JSON."""

    rule: str
    labels: Mapping[str, str]
    state: Mapping[str, object]
    level: str
    value: float | None
    looked_at: datetime


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """That something of ours was alive at a time."""

    name: str
    at: datetime
    detail: str


@dataclass(frozen=True, slots=True)
class Message:
    """A mail to be delivered once per ``dedup_key``; ``attachments`` are read from the evidence store when it is sent.

    Raises ValueError for no recipient or a line break in a header.
    """

    dedup_key: str
    recipients: Sequence[str]
    subject: str
    text: str
    html: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    severity: Severity | None = None
    run: int | None = None
    attachments: Sequence[Evidence] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "recipients", tuple(dict.fromkeys(self.recipients)))
        if not self.dedup_key or not self.recipients:
            raise ValueError(f"a message needs a dedup key and a recipient, got {self.dedup_key!r} {self.recipients!r}")
        object.__setattr__(self, "attachments", tuple(self.attachments))
        names = (part for one in self.attachments for part in (one.name, one.media_type))
        for part in (self.subject, *self.recipients, *self.headers, *self.headers.values(), *names):
            if any(character in part for character in "\r\n\x00"):
                raise ValueError(f"a line break or NUL in a mail header would let the text forge headers: {part!r}")


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """A message as the outbox holds it. ``refused`` maps a recipient to the server's permanent answer."""

    id: int
    message: Message
    state: Literal["waiting", "delivered", "refused"]
    enqueued_at: datetime
    attempts: int
    next_attempt_at: datetime | None
    leased_until: datetime | None
    accepted: tuple[str, ...]
    refused: Mapping[str, str]
    delivered_at: datetime | None
    last_error: str

    @property
    def pending(self) -> tuple[str, ...]:
        """Recipients who neither have it nor were permanently refused."""
        return tuple(one for one in self.message.recipients if one not in self.accepted and one not in self.refused)


@dataclass(frozen=True, slots=True)
class OutboxState:
    """``refused`` messages reached nobody; ``oldest_undelivered`` is when the oldest waiting one was put in."""

    waiting: int
    delivered: int
    refused: int
    refused_recipients: int
    oldest_undelivered: datetime | None
    last_error: str


@dataclass(frozen=True, slots=True)
class BackupRow:
    """A backup and how deep it has been proven.

    ``proven`` says since when each level holds: L0 present, L1 its bytes match the manifest, L2 read to the end,
    L3 restored, L4 restored and equal to its source. ``failure`` is what went wrong with it and is not mended;
    ``modified_at`` is the file's own time, ``read_at`` when it was last read whole and found good.
    """

    repository: str
    path: str
    status: Literal["success", "failed"] = "success"
    database: str = ""
    snapshot_at: datetime | None = None
    ended_at: datetime | None = None
    size_bytes: int | None = None
    sha256: str = ""
    proven: Mapping[Level, datetime] = field(default_factory=dict)
    failed_at: datetime | None = None
    failure: str = ""
    present: bool = True
    modified_at: datetime | None = None
    read_at: datetime | None = None

    def __post_init__(self) -> None:
        strange = set(self.proven) - set(LEVELS)
        if strange:
            raise ValueError(f"{self.path}: verification levels {sorted(strange)}, allowed {', '.join(LEVELS)}")
        object.__setattr__(self, "proven", {key: aware(self.proven[key]) for key in sorted(self.proven)})

    @property
    def level(self) -> Level | None:
        """The deepest level proven, None where not even presence was."""
        return max(self.proven, default=None)


@dataclass(frozen=True, slots=True)
class Rolling:
    """How measurements become hourly and daily figures.

    ``metrics`` are patterns (``system.*``); a sample speaks until the next one, for ``sample_holds`` at most;
    ``levels`` are the warning and critical levels, above which time is counted, by metric and unit.
    """

    metrics: tuple[str, ...]
    sample_holds: timedelta
    levels: Mapping[tuple[str, str], tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not timedelta() < self.sample_holds <= timedelta(hours=1):
            raise ValueError(f"a sample that speaks for {self.sample_holds}, allowed are up to one hour")


@dataclass(frozen=True, slots=True)
class Rolled:
    """What a roll-up made: days of a group of metrics, figures of hours, and of which metrics."""

    days: int = 0
    hours: int = 0
    metrics: frozenset[str] = frozenset()

    def __add__(self, other: Rolled) -> Rolled:
        return Rolled(self.days + other.days, self.hours + other.hours, self.metrics | other.metrics)


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step of a plan; ``effect`` is None until it ended.

    One that started and has none is running, or its worker was killed.
    """

    step: Step
    effect: Effect | None
    started_at: datetime | None
    ended_at: datetime | None
    tries: int


@dataclass(frozen=True, slots=True)
class PlanRow:
    """``state`` is "planned" (nothing begun), "applying", "ended", or "stopped" (the rest was not begun)."""

    id: int
    run_id: int
    kind: str
    system: str
    hash: str
    state: str
    planned_at: datetime
    ended_at: datetime | None
    steps: Sequence[StepRow]


@dataclass(frozen=True, slots=True)
class ApprovalRow:
    """Who asked for a change and who let it through. ``plans`` are the hashes it holds for.

    ``decision`` is "" while nobody decided. ``kind`` is "prior", or "break glass": made at once, with its review due at
    ``review_due_at`` (D53).
    """

    id: int
    run_id: int
    hash: str
    plans: tuple[str, ...]
    kind: str
    authority: str
    requester: str
    reason: str
    asked_at: datetime
    decision: str
    decided_by: str
    decided_at: datetime | None
    note: str
    review_due_at: datetime | None
    reviewed_at: datetime | None
    reviewed_by: str
    review_note: str


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """That users were told of an occasion: "ahead", at its "start", of "progress", at its "end"."""

    occasion: str
    kind: str
    starts_at: datetime
    ends_at: datetime
    told_at: datetime
    message_id: int | None = None


def work_of(rows: Sequence[PlanRow]) -> list[PlanRow]:
    """The newest plan of each kind: a retry that planned anew replaces what it planned before."""
    newest = {row.kind: row for row in rows}
    return [row for row in rows if newest[row.kind].id == row.id]
