"""/api/v1/portfolios: the deals with totals taken from their positions."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, HTTPException
from fastapi.encoders import jsonable_encoder
from fastapi.responses import HTMLResponse, JSONResponse, Response

from demo.app.access import Here, SignedIn

router = APIRouter(prefix="/api/v1/portfolios")
SLOWNESS = 1.5  # seconds the fault "slow-endpoint" adds: above the critical 1000 ms
_DEALS = """SELECT d.deal_id, d.deal_name, d.manager_name, d.trustee_name, d.deal_status, d.closing_date,
       d.maturity_date, d.target_par_amount, coalesce(p.positions, 0) AS positions,
       coalesce(p.total_par, 0) AS total_par, coalesce(p.cost, 0) AS cost, p.average_price
FROM clo_deals d LEFT JOIN (
    SELECT deal_id, count(*) AS positions, sum(par_amount) AS total_par,
           sum(par_amount * purchase_price / 100) AS cost, round(avg(purchase_price), 4) AS average_price
    FROM deal_assets WHERE upper(position_status) = 'ACTIVE' GROUP BY deal_id
) p USING (deal_id)
WHERE %(deal_id)s::text IS NULL OR d.deal_id = %(deal_id)s ORDER BY d.deal_id LIMIT 500"""
_TRANCHES = """SELECT tranche_name, initial_balance, current_balance, margin, mdy_rating, sp_rating, seniority_level
FROM clo_tranches WHERE deal_id = %s ORDER BY seniority_level"""
_LARGEST = """SELECT a.blkrock_id, a.issue_name, a.issuer_name, a.mdy_rating, a.maturity, p.par_amount, p.purchase_price
FROM deal_assets p JOIN assets a USING (blkrock_id)
WHERE p.deal_id = %s AND upper(p.position_status) = 'ACTIVE' ORDER BY p.par_amount DESC, blkrock_id LIMIT 25"""


async def _sick(runtime: Here) -> Response | None:
    """What the switched-on faults do to this endpoint; None when it is well."""
    if runtime.faults.on("slow-endpoint"):
        await asyncio.sleep(SLOWNESS)
    if runtime.faults.on("endpoint-error"):
        return JSONResponse({"detail": "internal error"}, 500)
    if runtime.faults.on("endpoint-wrong-body"):
        return HTMLResponse("<html><title>It works!</title></html>")
    return None


@router.get("")
async def portfolios(runtime: Here, _: SignedIn) -> Response:
    if (sick := await _sick(runtime)) is not None:
        return sick
    async with runtime.pool.connection() as connection:
        rows = await (await connection.execute(_DEALS, {"deal_id": None})).fetchall()
    return JSONResponse(jsonable_encoder({"items": rows, "total": len(rows)}))


@router.get("/{deal_id}")
async def portfolio(deal_id: str, runtime: Here, _: SignedIn) -> Response:
    async with runtime.pool.connection() as connection:
        deal = await (await connection.execute(_DEALS, {"deal_id": deal_id})).fetchone()
        if deal is None:
            raise HTTPException(404, "no such deal")
        tranches = await (await connection.execute(_TRANCHES, (deal_id,))).fetchall()
        largest = await (await connection.execute(_LARGEST, (deal_id,))).fetchall()
    return JSONResponse(jsonable_encoder({**deal, "tranches": tranches, "largest_positions": largest}))
