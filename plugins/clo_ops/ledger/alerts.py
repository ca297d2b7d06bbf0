"""What the watch remembers between two looks, and that it was alive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as upsert

from clo_ops.ledger import schema
from clo_ops.ledger.columns import aware, labels_digest
from clo_ops.ledger.records import AlertRow, Heartbeat
from clo_ops.ledger.store import Store

TABLE, BEATS = schema.alerts, schema.heartbeats
SEVERAL = 500


class Alerts(Store):
    def alerts(self) -> list[AlertRow]:
        """Every alert as last looked at."""
        query = select(TABLE).order_by(TABLE.c.rule, TABLE.c.labels_digest)
        with self.transaction() as connection:
            rows = connection.execute(query).mappings()
            return [AlertRow(**{name: row[name] for name in AlertRow.__slots__}) for row in rows]

    def record_alerts(self, alerts: Sequence[AlertRow]) -> None:
        """Put down how they are now; an older look never takes the place of a newer one."""
        rows = [
            {**{name: getattr(one, name) for name in AlertRow.__slots__}, "labels_digest": labels_digest(one.labels)}
            for one in alerts
        ]
        with self.transaction() as connection:
            for first in range(0, len(rows), SEVERAL):
                statement = upsert(TABLE).values(rows[first : first + SEVERAL])
                new = {name: statement.excluded[name] for name in ("state", "level", "value", "looked_at")}
                newer = TABLE.c.looked_at <= statement.excluded.looked_at
                connection.execute(
                    statement.on_conflict_do_update(index_elements=["rule", "labels_digest"], set_=new, where=newer)
                )

    def forget_alerts(self, alerts: Sequence[tuple[str, Mapping[str, str]]]) -> None:
        """Nothing more is to be remembered of these (rule, labels)."""
        with self.transaction() as connection:
            for rule, labels in alerts:
                this = (TABLE.c.rule == rule, TABLE.c.labels_digest == labels_digest(labels))
                connection.execute(delete(TABLE).where(*this))

    def beat(self, name: str, at: datetime, detail: str = "") -> None:
        """``name`` is alive at ``at``."""
        row = {"name": name, "at": aware(at), "detail": detail}
        statement = upsert(BEATS).values(row)
        newer = BEATS.c.at <= statement.excluded.at
        with self.transaction() as connection:
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["name"], set_={"at": statement.excluded.at, "detail": detail}, where=newer
                )
            )

    def heartbeats(self) -> dict[str, Heartbeat]:
        """The last sign of life of each."""
        with self.transaction() as connection:
            rows = connection.execute(select(BEATS)).mappings()
            return {row["name"]: Heartbeat(row["name"], row["at"], row["detail"]) for row in rows}
