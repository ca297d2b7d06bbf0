"""The data set of the backup benchmarks: a demo world of scale 40 and a ledger of 4 million entries beside it, in a
PostgreSQL of its own, made once and kept. As an uncompressed archive it is about 1.1 GB.

Where: --scratch, else CLO_OPS_BENCH, else /var/tmp/clo-ops-bench. About 3 GB with its archives; remove it by hand.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]

from clo_ops.probes.targets import PostgresTarget  # noqa: E402
from demo.stack import content  # noqa: E402
from demo.stack.postgres import Cluster  # noqa: E402
from demo.world import build, prepare  # noqa: E402

SCALE, SEED, DAYS = 40.0, 7, 30
ENTRIES = """CREATE TABLE IF NOT EXISTS bench_entries AS
SELECT n AS entry_id, timestamptz '2020-01-01Z' + n * interval '7 s' AS booked_at,
(n::bigint * 7919 % 1000003)::numeric / 100 AS amount,
md5(n::text) AS reference, repeat(md5((n % 977)::text), 2) AS note FROM generate_series(1, 4000000) AS n"""


def arguments(about: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("CLO_OPS_BENCH", "/var/tmp/clo-ops-bench")  # noqa: S108 - made private by the cluster
    parser.add_argument(
        "--scratch", type=Path, default=Path(default), help=f"where the data set is (default {default})"
    )
    parser.add_argument("--rounds", type=int, default=3, help="rounds; the median counts (default 3)")
    return parser.parse_args()


def world(scratch: Path) -> Cluster:
    """A running cluster with the data set in its database ``clo``; the caller stops it."""
    cluster = Cluster(scratch / "postgres", settings={"shared_buffers": "512MB", "max_wal_size": "4GB"}).start()
    for role in content.ROLES:
        cluster.create_user(role)
    cluster.create_database("clo", owner="clo_app")
    built = build(cluster.url("clo", "clo_app"), scale=SCALE, seed=SEED, days=DAYS)
    if not built.already_there:
        print(f"data set made: {built.rows:,} rows in {built.seconds:.0f} s", flush=True)
    with cluster.connect("clo", "clo_app") as connection:
        connection.execute(ENTRIES)
    prepare(cluster.url("clo"), {role: cluster.password(role) for role in content.ROLES})
    return cluster


def target(cluster: Cluster) -> PostgresTarget:
    """As the backup's own role."""
    return PostgresTarget(
        "127.0.0.1",
        cluster.port,
        "clo",
        "clo_backup",
        cluster.password("clo_backup"),
        sslmode="disable",
        client_name="benchmarks",
        statement_timeout=3600,
    )
