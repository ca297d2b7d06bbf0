"""What PostgreSQL says of its tables, indexes, sequences and ages: asked by probes, judged and chosen from by rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from clo_ops.findings.plans import Figure

XIDS = 2**32


@dataclass(frozen=True, slots=True)
class ServerState:
    """``counted_since``: since when uses and changes are counted; without a reset on record the server's start.

    ``pgstattuple`` is the schema of the extension where it is installed and we may use it, None otherwise. ``next_xid``
    is the transaction number given next, as 32 bits.
    """

    database: str
    in_recovery: bool
    server_major: int
    standbys: int
    counted_since: datetime
    since_is_known: bool
    freeze_max_age: int
    multixact_freeze_max_age: int
    pgstattuple: str | None
    sees_all_sessions: bool
    next_xid: int


@dataclass(frozen=True, slots=True)
class TableState:
    """``rows`` is -1 where the table was never analysed. ``parent``: partitioned, ``leaf_of`` names a leaf's parent.

    ``changed`` since the last ANALYZE and ``dead`` are rows; sizes are those of the last VACUUM or ANALYZE (bytes).
    ``may``: the maintenance role is the owner's, or was given the right.
    """

    schema: str
    name: str
    parent: bool
    leaf_of: str
    rows: float
    bytes: int
    changed: int
    dead: int
    analyzed_at: datetime | None
    vacuumed_at: datetime | None
    leaf_analyzed_at: datetime | None
    owner: str
    may: bool

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class IndexState:
    """One index. ``kind`` is ``index``, ``toast`` (of values stored apart) or ``partitioned`` (without pages).

    ``parts`` are its key columns with operator class, collation and order, ``included`` what it merely carries.
    ``constraint_type`` is PostgreSQL's letter (p, u, x) or empty; ``uses`` names foreign keys that rely on it.
    ``made_by`` is the transaction that made it, as 32 bits. ``may``: the maintenance role may rebuild it, ``may_name``:
    and may say its name (pg_toast is closed to all but superusers).
    """

    oid: int
    schema: str
    name: str
    table_schema: str
    table_name: str
    kind: str
    method: str
    bytes: int
    rows: float
    table_rows: float
    filled: int
    uses: str
    is_unique: bool
    is_primary: bool
    is_exclusion: bool
    nulls_apart: bool
    constraint_type: str
    constraint_name: str
    parts: tuple[str, ...]
    included: tuple[str, ...]
    predicate: str
    replica_identity: bool
    clustered: bool
    of_partition: bool
    valid: bool
    ready: bool
    live: bool
    building: bool
    made_by: int
    scans: int
    last_scan: datetime | None
    owner: str
    may: bool
    may_name: bool

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.parts))
        object.__setattr__(self, "included", tuple(self.included))

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def table(self) -> str:
        return f"{self.table_schema}.{self.table_name}"


@dataclass(frozen=True, slots=True)
class Width:
    """An entry of a B-tree by the planner's statistics (bytes); ``known`` of its ``columns`` have any."""

    width: float
    has_nulls: bool
    columns: int
    known: int
    by_name: bool


@dataclass(frozen=True, slots=True)
class Pages:
    """A B-tree as pgstattuple found it by reading all of it; ``density`` is how full its leaves are, in percent."""

    bytes: int
    leaf_pages: int
    other_pages: int
    gone_pages: int
    density: float
    fragmentation: float


@dataclass(frozen=True, slots=True)
class IndexSnapshot:
    """``widths`` and ``pages`` by the index's oid; ``unread`` says why one was not read though it could have been."""

    server: ServerState
    indexes: tuple[IndexState, ...]
    widths: Mapping[int, Width] = field(default_factory=dict)
    pages: Mapping[int, Pages] = field(default_factory=dict)
    unread: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TableSnapshot:
    server: ServerState
    tables: tuple[TableState, ...]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One rebuild of an index by us, as it is on record.

    ``oid`` and ``others`` (half-built indexes of its table) were there when it was planned, ``xid`` was the next
    transaction number then; ``ended`` and ``xid_after`` are None where the run was killed. ``before`` and ``after``
    are the index's size in bytes, None where it was not measured.
    """

    index: str
    table: str
    oid: int
    xid: int
    others: frozenset[int]
    started: datetime
    ended: datetime | None = None
    xid_after: int | None = None
    applied: bool = False
    before: int | None = None
    after: int | None = None

    @classmethod
    def of(cls, index: str, before: Mapping[str, Figure], started: datetime) -> Attempt:
        """As the figures of its planned step say; what became of it is for the caller to add."""
        others = frozenset(int(one) for one in str(before["others"]).split(",") if one)
        oid, xid, size = (int(before[name]) for name in ("oid", "xid", "bytes"))
        return cls(index, str(before["table"]), oid, xid, others, started, before=size)


def later_xid(one: int, other: int) -> bool:
    """Whether transaction number ``one`` was given at or after ``other``: they go round at 2^32."""
    return (one - other) % XIDS < XIDS // 2
