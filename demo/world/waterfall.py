"""A deal's payment dates, simulated: who is paid what, in which order, until the money is gone."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from demo.world import money
from demo.world.book import Book
from demo.world.coverage import Coverage, adjusted_principal, judge
from demo.world.deals import DEFERRABLE, EQUITY, RATED, Deal, Period
from demo.world.rates import Fixings

INTEREST, PRINCIPAL = "INTEREST", "PRINCIPAL"
FEES = ("TRUSTEE_FEE", "ADMIN_FEE", "SENIOR_MGMT_FEE")


@dataclass(slots=True)
class Payment:
    step: str
    priority: str
    due: int
    paid: int
    deferred: int = 0
    target: str | None = None  # class name
    base: int | None = None
    rate: int | None = None


@dataclass(slots=True)
class NotePeriod:
    """One class over one period, in cents; what liability_cash_flows records."""

    rate: int
    beginning: int
    deferred_beginning: int
    accrued: int
    deferred_accrued: int
    paid: int = 0
    deferred_paid: int = 0
    principal: int = 0
    deferred_principal: int = 0

    @property
    def due(self) -> int:
        return self.accrued + self.deferred_accrued

    @property
    def ending(self) -> int:
        return self.beginning - self.principal

    @property
    def deferred_ending(self) -> int:
        unpaid = self.due - self.paid - self.deferred_paid
        return self.deferred_beginning + unpaid - self.deferred_principal


@dataclass
class Execution:
    period: Period
    interest: int
    principal: int
    principal_cash: int  # both before the period's collections
    interest_cash: int
    reserve_beginning: int
    reserve_ending: int
    coverage: Coverage
    notes: dict[str, NotePeriod]
    payments: list[Payment] = field(default_factory=list)
    remaining: int = 0

    def paid(self, priority: str) -> int:
        return sum(payment.paid for payment in self.payments if payment.priority == priority)

    def step(self, name: str) -> Payment:
        return next(payment for payment in self.payments if payment.step == name)


def steps() -> dict[str, list[str]]:
    """The order of payment, as waterfall_configurations.payment_rules holds it."""
    interest = [*FEES]
    for name in RATED:
        interest += [f"CLASS_{name}_INTEREST", f"CLASS_{name}_CURE_PRINCIPAL"]
        interest += [f"CLASS_{name}_DEFERRED_PRINCIPAL"] if name in DEFERRABLE else []
    interest += ["JUNIOR_MGMT_FEE", "INCENTIVE_FEE", "RESIDUAL_INTEREST"]
    return {"interest": interest, "principal": [f"CLASS_{name}_PRINCIPAL" for name in RATED]}


class Waterfall:
    def __init__(self, book: Book, fixings: Fixings, initial: dict[str, int]) -> None:
        self.book, self.fixings, self.initial = book, fixings, initial
        self.balance = {name: initial[name] for name in RATED}
        self.deferred = dict.fromkeys(RATED, 0)
        self.cash = self.interest_cash = self.reserve = 0

    def run(self) -> list[Execution]:
        return [self._execute(index, period) for index, period in enumerate(self.book.deal.past)]

    def _execute(self, index: int, period: Period) -> Execution:
        run = self._determine(index, period)
        left = self.interest_cash + run.interest - (run.reserve_ending - run.reserve_beginning)
        left = self._senior(run, index, left)
        left = self._classes(run, left)
        self.interest_cash = self._junior(run, index, left)
        self.cash = self._principal(run)
        run.remaining = self.interest_cash + self.cash
        for name, note in run.notes.items():
            self.balance[name], self.deferred[name] = note.ending, note.deferred_ending
        self.reserve = run.reserve_ending
        return run

    def _determine(self, index: int, period: Period) -> Execution:
        deal, book = self.book.deal, self.book
        notes = {name: self._note(name, period) for name in RATED}
        cash = self.cash + book.principal[index]
        adjusted = adjusted_principal(book.positions[index], cash, deal)
        owed = {name: self.balance[name] + self.deferred[name] for name in RATED}
        net = book.interest[index] - sum(self._fee_due(step, index, period)[0] for step in FEES)
        coverage = judge(deal, adjusted, owed, net, {name: note.due for name, note in notes.items()})
        target = deal.terms.reserve_target if index else 0
        reserve = max(self.reserve, min(target, book.interest[index] // 50))
        interest, principal = book.interest[index], book.principal[index]
        return Execution(
            period, interest, principal, self.cash, self.interest_cash, self.reserve, reserve, coverage, notes
        )

    def _note(self, name: str, period: Period) -> NotePeriod:
        rate = self.fixings.on(period.fixing) + self.book.deal.terms.margin[name]

        def accrue(balance: int) -> int:
            return money.interest(balance, rate, "ACT/360", period.accrual_start, period.payment)

        balance, deferred = self.balance[name], self.deferred[name]
        return NotePeriod(rate, balance, deferred, accrue(balance), accrue(deferred))

    def _fee_due(self, step: str, index: int, period: Period) -> tuple[int, int | None, int | None]:
        """(due, base, rate); a fixed yearly amount has no base and rate."""
        terms, days = self.book.deal.terms, (period.payment - period.accrual_start).days
        if step == "TRUSTEE_FEE":
            return money.rounded(terms.trustee_fee * days, 360), None, None
        if step == "ADMIN_FEE":
            part = 55 + (self.book.deal.number * 7 + period.number * 13) % 40
            return terms.admin_cap * days * part // 36_000, None, None
        base, rate = self.book.par(max(0, index - 1)), terms.senior_fee
        rate = terms.junior_fee if step == "JUNIOR_MGMT_FEE" else rate
        return money.interest(base, rate, "ACT/360", period.accrual_start, period.payment), base, rate

    def _pay(self, run: Execution, step: str, due: int, left: int, *, priority: str = INTEREST, **more: Any) -> int:
        paid = min(due, left)
        run.payments.append(Payment(step, priority, due, paid, **more))
        return paid

    def _senior(self, run: Execution, index: int, left: int) -> int:
        for step in FEES:
            due, base, rate = self._fee_due(step, index, run.period)
            left -= self._pay(run, step, due, left, base=base, rate=rate)
        return left

    def _classes(self, run: Execution, left: int) -> int:
        for name in RATED:
            left -= self._interest(run, name, left)
            cured = self._pay(run, f"CLASS_{name}_CURE_PRINCIPAL", self._cure(run, name), left, target="A")
            run.notes["A"].principal += cured
            left -= cured
            if name in DEFERRABLE:
                note = run.notes[name]
                owed = note.deferred_beginning
                caught_up = self._pay(run, f"CLASS_{name}_DEFERRED_PRINCIPAL", owed, left, target=name)
                note.deferred_principal += caught_up
                left -= caught_up
        return left

    def _interest(self, run: Execution, name: str, left: int) -> int:
        note = run.notes[name]
        paid = self._pay(run, f"CLASS_{name}_INTEREST", note.due, left, target=name)
        note.paid = min(paid, note.accrued)
        note.deferred_paid = paid - note.paid
        if paid < note.due:
            if name not in DEFERRABLE:
                raise ValueError(f"{self.book.deal.deal_id} cannot pay class {name} on {run.period.payment}")
            run.payments[-1].deferred = note.due - paid
        return paid

    def _cure(self, run: Execution, name: str) -> int:
        """What has to be paid down so that N / (D - cure) is the threshold again, after cures of earlier classes."""
        if run.coverage.oc_pass[name]:
            return 0
        owed = sum(run.notes[n].beginning + run.notes[n].deferred_beginning for n in RATED[: RATED.index(name) + 1])
        allowed = run.coverage.adjusted / self.book.deal.terms.oc_threshold[name]
        need = Decimal(owed - run.notes["A"].principal) - allowed
        return max(0, int(need.quantize(Decimal(1), ROUND_HALF_UP)))

    def _junior(self, run: Execution, index: int, left: int) -> int:
        """Nothing below the notes is paid while an interest coverage test fails; the money waits in its account."""
        due, base, rate = self._fee_due("JUNIOR_MGMT_FEE", index, run.period)
        held = 0 if all(run.coverage.ic_pass.values()) else left
        left -= held
        left -= self._pay(run, "JUNIOR_MGMT_FEE", due, left, base=base, rate=rate)
        self._pay(run, "INCENTIVE_FEE", 0, left)  # no deal has reached its hurdle from distributions alone
        self._pay(run, "RESIDUAL_INTEREST", left, left, target=EQUITY)
        return held

    def _principal(self, run: Execution) -> int:
        """Kept for reinvestment until that period ends, then to the notes in order."""
        left = run.principal_cash + run.principal
        amortising = run.period.payment > self.book.deal.reinvestment_end
        for name in RATED:
            note = run.notes[name]
            due = note.ending if amortising else 0
            paid = self._pay(run, f"CLASS_{name}_PRINCIPAL", due, left, priority=PRINCIPAL, target=name)
            note.principal += paid
            left -= paid
        return left


def initial_balances(deal: Deal, target_par: int) -> dict[str, int]:
    """Cents, in whole thousands of the currency."""
    return {name: int(target_par * part) // 100_000 * 100_000 for name, part in deal.terms.part.items()}
