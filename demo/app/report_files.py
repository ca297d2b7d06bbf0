"""What a report job writes: positions by deal with totals, as HTML or CSV, in <state>/reports."""

from __future__ import annotations

import csv
import hashlib
import html
import io
import os
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from psycopg import Connection

COLUMNS = ("deal_id", "deal_name", "rating", "positions", "par_amount", "cost", "average_spread_percent")
_ROWS = """SELECT d.deal_id, d.deal_name, coalesce(a.mdy_rating, 'NR') AS rating, count(*) AS positions,
       sum(p.par_amount) AS par_amount, round(sum(p.par_amount * p.purchase_price / 100), 2) AS cost,
       round(avg(a.cpn_spread) * 100, 4) AS average_spread_percent
FROM clo_deals d JOIN deal_assets p USING (deal_id) JOIN assets a USING (blkrock_id)
WHERE p.position_status = 'ACTIVE' AND (%(deal_id)s::text IS NULL OR d.deal_id = %(deal_id)s)
GROUP BY d.deal_id, d.deal_name, coalesce(a.mdy_rating, 'NR') ORDER BY d.deal_id, par_amount DESC, rating"""


def write(connection: Connection[dict[str, Any]], directory: Path, job: dict[str, Any], at: datetime) -> dict[str, Any]:
    """Write the file of a report job and return its facts: path, sha256, size in bytes, rows, total par."""
    rows = connection.execute(_ROWS, {"deal_id": job["deal_id"]}).fetchall()
    form = job["form"]
    text = as_csv(rows) if form == "csv" else as_html(rows, at)
    path = _store(directory, f"portfolio-{job['job_id']}.{form}", text.encode())
    return {
        "path": str(path),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "size_bytes": len(text.encode()),
        "rows": len(rows),
        "total_par": str(total(rows)),
    }


def total(rows: list[dict[str, Any]]) -> Decimal:
    return sum((row["par_amount"] for row in rows), Decimal(0))


def _store(directory: Path, name: str, content: bytes) -> Path:
    """Whole or not at all: a reader never sees half a report."""
    directory.mkdir(parents=True, exist_ok=True)
    path, part = directory / name, directory / f".{name}.part"
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return part.replace(path)


def as_csv(rows: list[dict[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows([_safe(row[name]) for name in COLUMNS] for row in rows)
    writer.writerow(["total", "", "", sum(row["positions"] for row in rows), total(rows), "", ""])
    return out.getvalue()


def _safe(value: Any) -> Any:
    """A deal's name that starts like a formula must not run in a spreadsheet."""
    return f"'{value}" if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"} else value


def as_html(rows: list[dict[str, Any]], at: datetime) -> str:
    head = "".join(f"<th>{name.replace('_', ' ')}</th>" for name in COLUMNS)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(row[name]))}</td>" for name in COLUMNS) + "</tr>" for row in rows
    )
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>Portfolio report</title>"
        "<style>body{font-family:sans-serif}td,th{padding:2px 8px;border-bottom:1px solid #ccc}</style>"
        f"<h1>Portfolio report</h1><p>As of {at:%Y-%m-%d %H:%M:%S} UTC</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"<p>Total par: <strong>{total(rows):,.2f}</strong></p></html>"
    )
