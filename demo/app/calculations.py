"""What a calculation job computes: the pool's averages, its coverage ratio and a simulated cash flow.

Weighted by par: WARF (rating factor), WAS (spread, percent), WAC (coupon, percent). Overcollateralisation is pool par
over the balance of the class and everything senior to it. The cash flow is simulated: quarterly, many scenarios, with
defaults by rating factor, recoveries and prepayments; the answer holds its mean and percentiles. The tables keep
rates as fractions (0.07 is 7 %).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

SCENARIOS = 20_000
_BATCH = 2000  # scenarios at once: memory stays flat however large the deal
PERIODS = 40  # quarters
_PREPAYMENT = 0.05  # per quarter
_DEFAULT_FACTOR, _DEFAULT_COUPON, _DEFAULT_RECOVERY = 2720.0, 0.08, 0.45  # where an asset has none of its own
_POSITIONS = """SELECT p.par_amount AS par, coalesce(s.warf_factor, %(factor)s) AS factor,
       coalesce(a.cpn_spread, 0) AS spread, coalesce(a.coupon, %(coupon)s) AS coupon,
       coalesce(a.mdy_recovery_rate, %(recovery)s) AS recovery, a.maturity
FROM deal_assets p JOIN assets a USING (blkrock_id)
LEFT JOIN rating_scales s ON s.rating_symbol = a.mdy_rating AND s.agency ILIKE 'moody%%'
WHERE p.deal_id = %(deal_id)s AND p.position_status = 'ACTIVE' AND p.par_amount > 0"""
_CLASSES = """SELECT tranche_name, current_balance FROM clo_tranches
WHERE deal_id = %s AND coupon_type IS DISTINCT FROM 'RESIDUAL' AND current_balance > 0 ORDER BY seniority_level"""
Floats = NDArray[np.float64]


class NothingToCalculate(RuntimeError):
    """The deal has no active position with par."""


@dataclass(frozen=True, slots=True)
class Pool:
    par: Floats
    factor: Floats
    spread: Floats
    coupon: Floats
    recovery: Floats
    periods_left: NDArray[np.int64]


def calculate(connection: Connection[dict[str, Any]], deal_id: str, today: date) -> dict[str, Any]:
    """Raises NothingToCalculate. The same deal on the same day gives the same result."""
    pool = read_pool(connection, deal_id, today)
    classes = connection.execute(_CLASSES, (deal_id,)).fetchall()
    seed = int.from_bytes(hashlib.sha256(f"{deal_id}{today}".encode()).digest()[:8], "big")
    return {"deal_id": deal_id, "as_of": today.isoformat(), **averages(pool), "oc_ratio": coverage(pool, classes)} | {
        "cash_flow": project(pool, np.random.default_rng(seed))
    }


def read_pool(connection: Connection[dict[str, Any]], deal_id: str, today: date) -> Pool:
    defaults = {"factor": _DEFAULT_FACTOR, "coupon": _DEFAULT_COUPON, "recovery": _DEFAULT_RECOVERY}
    rows = connection.execute(_POSITIONS, {"deal_id": deal_id, **defaults}).fetchall()
    if not rows:
        raise NothingToCalculate(f"deal {deal_id} has no active position")
    names = ("par", "factor", "spread", "coupon", "recovery")
    columns = {name: np.array([float(row[name]) for row in rows]) for name in names}
    left = [max(1, (row["maturity"] - today).days // 91) if row["maturity"] else PERIODS for row in rows]
    return Pool(**columns, periods_left=np.array(left))


def averages(pool: Pool) -> dict[str, float]:
    weight = pool.par / pool.par.sum()
    return {
        "positions": len(pool.par),
        "total_par": round(float(pool.par.sum()), 2),
        "warf": round(float(weight @ pool.factor), 2),
        "was_percent": round(float(weight @ pool.spread) * 100, 4),
        "wac_percent": round(float(weight @ pool.coupon) * 100, 4),
        "diversity": round(float(1 / np.square(weight).sum()), 2),
    }


def coverage(pool: Pool, classes: list[dict[str, Any]]) -> dict[str, float]:
    balances = np.cumsum([float(row["current_balance"]) for row in classes])
    total = float(pool.par.sum())
    return {row["tranche_name"]: round(total / owed, 6) for row, owed in zip(classes, balances, strict=True)}


def project(pool: Pool, chance: np.random.Generator) -> dict[str, Any]:
    """Interest, principal, recoveries and losses over all periods, simulated scenario by scenario."""
    batches = [_simulate(pool, chance) for _ in range(SCENARIOS // _BATCH)]
    received, lost = (np.concatenate(column) for column in zip(*batches, strict=True))
    return _summary(received, lost, float(pool.par.sum()))


def _simulate(pool: Pool, chance: np.random.Generator) -> tuple[Floats, Floats]:
    """Money received and lost by the end, per scenario of one batch."""
    balance = np.repeat(pool.par[np.newaxis, :], _BATCH, axis=0)
    hazard = 1 - np.power(1 - np.clip(pool.factor / 10000, 0.0001, 0.9), 1 / PERIODS)
    received, lost = np.zeros(_BATCH), np.zeros(_BATCH)
    for period in range(PERIODS):
        defaulted = np.where(chance.random(balance.shape) < hazard, balance, 0.0)
        balance -= defaulted
        interest = balance @ (pool.coupon / 4)
        repaid = balance * np.where(period + 1 >= pool.periods_left, 1.0, _PREPAYMENT)
        balance -= repaid
        recovered = defaulted @ pool.recovery
        received += interest + repaid.sum(axis=1) + recovered
        lost += defaulted.sum(axis=1) - recovered
    return received, lost


def _summary(received: Floats, lost: Floats, par: float) -> dict[str, Any]:
    share = lost / par * 100
    return {
        "scenarios": SCENARIOS,
        "periods": PERIODS,
        "mean_received": round(float(received.mean()), 2),
        "mean_loss_percent": round(float(share.mean()), 4),
        "loss_percent_p95": round(float(np.percentile(share, 95)), 4),
        "loss_percent_p99": round(float(np.percentile(share, 99)), 4),
    }
