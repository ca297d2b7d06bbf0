"""The rows that a deal's payment dates leave: executions, steps, and what moved through its accounts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal

from demo.world import money
from demo.world.deal_records import stamp
from demo.world.deals import Deal
from demo.world.reference import Record
from demo.world.waterfall import INTEREST, PRINCIPAL, Execution

PAYEES = {"TRUSTEE_FEE": "Trustee", "ADMIN_FEE": "Administrator", "INCENTIVE_FEE": "Collateral manager"} | {
    "SENIOR_MGMT_FEE": "Collateral manager",
    "JUNIOR_MGMT_FEE": "Collateral manager",
}


def execution_row(deal: Deal, run: Execution, config_id: int) -> Record:
    collected, cash = run.interest + run.principal, run.principal_cash + run.interest_cash
    return {
        "deal_id": deal.deal_id,
        "payment_date": run.period.payment,
        "config_id": config_id,
        "collection_amount": money.text(collected),
        "beginning_cash": money.text(cash),
        "total_available": money.text(cash + collected),
        "interest_reserve_beginning": money.text(run.reserve_beginning),
        "interest_reserve_ending": money.text(run.reserve_ending),
        "remaining_cash": money.text(run.remaining),
        "oc_test_pass": all(run.coverage.oc_pass.values()),
        "ic_test_pass": all(run.coverage.ic_pass.values()),
        "execution_status": "COMPLETED",
        "execution_notes": None,
        "created_at": stamp(run.period.payment, 14),
    }


def payment_rows(deal: Deal, run: Execution, execution_id: int) -> Iterator[Record]:
    for sequence, payment in enumerate(run.payments, 1):
        yield {
            "execution_id": execution_id,
            "payment_step": payment.step,
            "step_sequence": sequence,
            "payment_priority": payment.priority,
            "amount_due": money.text(payment.due),
            "amount_paid": money.text(payment.paid),
            "amount_deferred": money.text(payment.deferred),
            "target_tranche_id": deal.tranche_id(payment.target) if payment.target else None,
            "target_account": PAYEES.get(payment.step),
            "calculation_base": None if payment.base is None else money.text(payment.base),
            "payment_rate": None if payment.rate is None else money.rate(payment.rate),
            "payment_notes": None,
        }


class Account:
    """One account of a deal; each movement is a row that begins where the one before ended."""

    def __init__(self, deal: Deal, name: str, kind: str) -> None:
        self.deal, self.name, self.kind, self.balance = deal, name, kind, 0

    def move(self, day: date, *, deposits: int = 0, withdrawals: int = 0) -> Record:
        before = self.balance
        self.balance += deposits - withdrawals
        return {
            "deal_id": self.deal.deal_id,
            "account_name": self.name,
            "balance_date": day,
            "beginning_balance": money.text(before),
            "deposits": money.text(deposits),
            "withdrawals": money.text(withdrawals),
            "ending_balance": money.text(self.balance),
            "account_type": self.kind,
            "currency": "USD",
            "created_at": stamp(day, 17),
        }


def account_rows(deal: Deal, runs: list[Execution], unfunded: int) -> Iterator[Record]:
    """Collections arrive on the determination date and leave on the payment date."""
    interest = Account(deal, "Interest Collection", "INTEREST_COLLECTION")
    principal = Account(deal, "Principal Collection", "PRINCIPAL_COLLECTION")
    reserve = Account(deal, "Interest Reserve", "INTEREST_RESERVE")
    commitments = Account(deal, "Unfunded Reserve", "UNFUNDED_RESERVE")
    yield commitments.move(deal.closing, deposits=unfunded)
    for run in runs:
        kept = run.reserve_ending - run.reserve_beginning
        yield interest.move(run.period.determination, deposits=run.interest)
        yield principal.move(run.period.determination, deposits=run.principal)
        yield interest.move(run.period.payment, withdrawals=run.paid(INTEREST) + kept)
        yield principal.move(run.period.payment, withdrawals=run.paid(PRINCIPAL))
        yield reserve.move(run.period.payment, deposits=kept)
        yield commitments.move(run.period.payment)


CASH = {"INTEREST_COLLECTION": "INTEREST", "INTEREST_RESERVE": "INTEREST", "PRINCIPAL_COLLECTION": "PRINCIPAL"}


def statements(movements: list[Record], number: Callable[[], int]) -> tuple[list[Record], list[Record]]:
    """The accounts of a deal from their opening to their last movement, and each amount that moved; ``number`` gives
    the accounts' ids.
    """
    accounts, moved = dict[str, Record](), list[Record]()
    for row in movements:
        name, cash = row["account_name"], CASH.get(row["account_type"], "OTHER")
        if name not in accounts:
            accounts[name] = _opened(number(), row)
        account = accounts[name]
        came, went = Decimal(row["deposits"]), Decimal(row["withdrawals"])
        account[f"{cash.lower()}_receipts"] += came
        account["disbursements"] += went
        account |= {"closing_balance": row["ending_balance"], "statement_date": row["balance_date"]}
        moved += [
            {"account_id": account["account_id"], "transaction_date": row["balance_date"], "cash_type": cash,
             "amount": amount}
            for amount in (came, -went) if amount
        ]  # fmt: skip
    return list(accounts.values()), moved


def _opened(number: int, first: Record) -> Record:
    receipts = {f"{cash.lower()}_receipts": Decimal(0) for cash in ("INTEREST", "PRINCIPAL", "OTHER")}
    names = {"account_id": number, "deal_id": first["deal_id"], "account_name": first["account_name"]}
    return names | {"opening_balance": first["beginning_balance"]} | receipts | {"disbursements": Decimal(0)}
