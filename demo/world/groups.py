"""One group of deals and the assets they hold, made in memory and streamed away: what bounds the memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from demo.world import asset_records, cash_flows, collateral, compliance, deal_records, money, payment_records
from demo.world.book import Book, books
from demo.world.cash_flows import Flow
from demo.world.database import Connection, copy_records, copy_rows
from demo.world.deals import EQUITY, deals
from demo.world.equity import performance
from demo.world.plan import Plan
from demo.world.rates import Fixings
from demo.world.reference import Record
from demo.world.waterfall import Execution, Waterfall, initial_balances

CORRELATED = 24  # assets whose correlations are stored
NOTE_EVERY = 25  # one asset in so many was looked at by an analyst within the operating history


@dataclass(frozen=True)
class Change:
    """A change of a financial row within the operating history; the audit trail has a row for each."""

    at: datetime
    action: str
    object_type: str
    object_id: str


class Ids:
    """Counters of the ids that rows refer to each other by."""

    def __init__(self) -> None:
        self.last: dict[str, int] = {}

    def next(self, table: str) -> int:
        self.last[table] = self.last.get(table, 0) + 1
        return self.last[table]


class Group:
    """Raises ValueError when a deal cannot pay its senior classes, which no seed has done yet."""

    def __init__(self, plan: Plan, number: int, deal_numbers: range, asset_count: int, fixings: Fixings) -> None:
        self.plan, self.number, self.fixings = plan, number, fixings
        self.deals = deals(plan, number, deal_numbers.start, len(deal_numbers))
        self.assets = collateral.assets(plan, number, asset_count, self.deals)
        self.flows: dict[str, list[Flow]] = {}
        self.changes: list[Change] = []

    def load(self, connection: Connection, ids: Ids, tests: list[Record], scenarios: list[int]) -> int:
        """COPY the group's rows; returns how many."""
        rng = self.plan.rng("flows", self.number)
        quotes = {asset.blkrock_id: asset_records.prices(self.plan, asset, rng) for asset in self.assets}
        for asset in self.assets:
            self.flows[asset.blkrock_id] = cash_flows.flows(asset, self.plan.books, rng, self.fixings)
        made = books(self.deals, self.flows, self.assets)
        count = copy_records(connection, "clo_deals", (self._deal_row(book) for book in made))
        count += self._load_assets(connection, quotes)
        return count + sum(DealLoad(self, book).load(connection, ids, tests, scenarios) for book in made)

    def target_par(self, book: Book) -> int:
        return book.par(0) // 10_000_000 * 10_000_000

    def _deal_row(self, book: Book) -> Record:
        return deal_records.deal_row(book.deal, self.target_par(book))

    def _load_assets(self, connection: Connection, quotes: dict[str, list[Any]]) -> int:
        plan, assets = self.plan, self.assets
        rng, stamp = plan.rng("history", self.number), deal_records.stamp(plan.last_curve, 20)

        def each(rows: Any) -> Iterator[Any]:
            return (row for asset in assets for row in rows(asset))

        count = copy_records(connection, "assets", self._asset_rows())
        positions = each(lambda a: asset_records.position_rows(a, self.flows[a.blkrock_id]))
        count += copy_records(connection, "deal_assets", positions)
        prices = each(lambda a: asset_records.price_rows(a, quotes[a.blkrock_id]))
        count += copy_rows(connection, "asset_pricing", asset_records.PRICE_COLUMNS, prices)
        history = each(lambda a: asset_records.history_rows(plan, a, rng))
        count += copy_records(connection, "asset_history", history)
        if self.number == 0:
            count += copy_records(connection, "asset_correlations", self._correlations())
        flows = each(lambda a: cash_flows.records(a, self.flows[a.blkrock_id], stamp))
        return count + copy_records(connection, "asset_cash_flows", flows)

    def _asset_rows(self) -> Iterator[Record]:
        rng = self.plan.rng("opinions", self.number)
        for asset in self.assets:
            row = asset_records.asset_row(asset, min(holding.deal.maturity for holding in asset.holdings))
            if rng.randrange(NOTE_EVERY) == 0:
                at = self._some_moment(rng.random(), rng.randrange(8 * 3600))
                row = asset_records.touched(row, at, rng.choice(("HOLD", "WATCH", "ADD")))
                self.changes.append(Change(at, "asset.updated", "asset", asset.blkrock_id))
            yield row

    def _correlations(self) -> Iterator[Record]:
        """Of the first assets, each moved by one common factor: such a matrix is never indefinite."""
        rng, chosen = self.plan.rng("correlations"), self.assets[:CORRELATED]
        loads = [rng.randint(200, 700) for _ in chosen]  # thousandths
        for one, load in zip(chosen, loads, strict=True):
            for other, other_load in zip(chosen, loads, strict=True):
                value = money.MILLION if one is other else load * other_load
                names = {"asset1_id": one.blkrock_id, "asset2_id": other.blkrock_id}
                yield names | {"correlation_value": money.rate(value)}

    def _some_moment(self, part: float, seconds: int) -> datetime:
        """In business hours of a finished day of the operating history."""
        day = self.plan.history_start + timedelta(days=int(part * self.plan.days))
        day += timedelta(days=0 if day.weekday() < 5 else -day.weekday() + 4)
        at = max(day, self.plan.history_start) + timedelta(hours=8, seconds=seconds)
        return min(at, self.plan.as_of - timedelta(minutes=5))


def _in_force(configuration: Record, run: Execution) -> bool:
    effective: date = configuration["effective_date"]
    return effective <= run.period.payment


class DealLoad:
    """One deal's waterfall, run and recorded."""

    def __init__(self, group: Group, book: Book) -> None:
        self.group, self.book, self.deal = group, book, book.deal
        self.initial = initial_balances(book.deal, group.target_par(book))
        self.runs: list[Execution] = Waterfall(book, group.fixings, self.initial).run()

    def load(self, connection: Connection, ids: Ids, tests: list[Record], scenarios: list[int]) -> int:
        count = 0
        for table, rows in self._tables(ids, tests, scenarios):
            count += copy_records(connection, table, rows)
        self._note_changes()
        return count

    def _tables(self, ids: Ids, tests: list[Record], scenarios: list[int]) -> Iterator[tuple[str, Iterable[Record]]]:
        deal, runs = self.deal, self.runs
        liabilities = list(deal_records.liability_rows(self.group.plan, deal, self.initial, runs))
        liabilities = [{"liability_id": ids.next("liabilities")} | row for row in liabilities]
        by_name = {row["tranche_name"]: row["liability_id"] for row in liabilities}
        yield "clo_tranches", deal_records.tranche_rows(deal, self.initial, runs)
        yield "liabilities", liabilities
        yield "liability_cash_flows", deal_records.note_rows(by_name, runs)
        yield "tranche_mappings", deal_records.mapping_rows(deal)
        yield "payment_schedules", deal_records.schedule_rows(deal)
        yield "mag_waterfall_configurations", [deal_records.mag_configuration_row(deal)]
        yield from self._payments(ids)
        yield from self._accounts(ids)
        yield "coverage_test_results", deal_records.coverage_rows(deal, runs)
        yield "compliance_test_results", self._compliance(tests)
        achieved = performance(self.initial[EQUITY], deal.closing, runs)
        yield "mag_performance_metrics", deal_records.performance_rows(deal, runs, achieved)
        yield "simulation_results", self._simulations(scenarios)

    def _payments(self, ids: Ids) -> Iterator[tuple[str, list[Record]]]:
        table = "waterfall_configurations"
        configurations = [{"config_id": ids.next(table)} | row for row in deal_records.configuration_rows(self.deal)]
        executions, payments = list[Record](), list[Record]()
        for run in self.runs:
            inforce = [row for row in configurations if _in_force(row, run)][-1]
            number = ids.next("waterfall_executions")
            row = payment_records.execution_row(self.deal, run, inforce["config_id"])
            executions.append({"execution_id": number} | row)
            payments += payment_records.payment_rows(self.deal, run, number)
        yield table, configurations
        yield "waterfall_executions", executions
        yield "waterfall_payments", payments

    def _accounts(self, ids: Ids) -> Iterator[tuple[str, list[Record]]]:
        movements = list(payment_records.account_rows(self.deal, self.runs, self._unfunded()))
        accounts, moved = payment_records.statements(movements, lambda: ids.next("deal_accounts"))
        yield "account_balances", movements
        yield "deal_accounts", accounts
        yield "account_transactions", moved

    def _unfunded(self) -> int:
        """Every unfunded commitment is one deal's own."""
        return sum(a.unfunded for a in self.group.assets for h in a.holdings if h.deal is self.deal)

    def _compliance(self, tests: list[Record]) -> Iterator[Record]:
        for index, period in enumerate(self.deal.past):
            stamp = deal_records.stamp(period.determination, 18)
            yield from compliance.results(self.deal, index, self.book.positions[index], tests, stamp)

    def _simulations(self, scenarios: list[int]) -> Iterator[Record]:
        rng, stamp = self.group.plan.rng("simulations", self.deal.deal_id), self.group.plan.books + timedelta(days=3)
        for scenario in scenarios:
            for name in self.initial:
                equity = name == EQUITY
                yield {
                    "scenario_id": scenario,
                    "deal_id": self.deal.deal_id,
                    "tranche_id": self.deal.tranche_id(name),
                    "irr": money.rate(rng.randint(-50_000, 220_000) if equity else rng.randint(50_000, 90_000)),
                    "average_life": money.rate(rng.randint(2_500_000, 8_000_000)),
                    "duration": money.rate(rng.randint(2_000_000, 7_000_000)),
                    "total_losses": money.text(rng.randint(0, self.initial[EQUITY] // 2) if equity else 0),
                    "created_at": deal_records.stamp(stamp),
                }

    def _note_changes(self) -> None:
        """The payment date wrote the balances of the notes."""
        at = deal_records.stamp(self.runs[-1].period.payment, 15)
        names = [str(row) for row in self._liability_names()]
        self.group.changes += [Change(at, "liability.updated", "liability", name) for name in names]

    def _liability_names(self) -> Iterator[str]:
        return (self.deal.tranche_id(name) for name in self.initial)
