"""Check the ledger against itself: totals against charges, charges against their rates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from alerter.core.charges import Rate
from alerter.core.money import plain
from alerter.store import ledger
from alerter.store.blocks import out_of_reach
from alerter.store.bulk import query
from alerter.store.ledger import Charge, part_of
from alerter.store.totals import DailyKey, View, daily_parts

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Verification:
    """What was compared, and what differs; ``wrong_totals`` is (key, stored, recomputed) in nanos.

    ``out_of_reach`` are runs of which charges would not be found by their time.
    """

    charges: int
    totals: int
    wrong_totals: tuple[tuple[DailyKey, int, int], ...] = ()
    wrong_charges: tuple[Charge, ...] = field(default=())
    out_of_reach: tuple[int, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether everything agrees to the nano."""
        return not self.wrong_totals and not self.wrong_charges and not self.out_of_reach

    def lines(self) -> Iterable[str]:
        """Return what differs, for people; at most twenty lines of each kind."""
        for (budget_id, scope_id, day), stored, right in self.wrong_totals[:_SHOWN]:
            place = f"budget {budget_id}, scope {scope_id}, day {day}"
            yield f"total of {place}: {plain(stored)}, but its charges say {plain(right)}"
        for charge in self.wrong_charges[:_SHOWN]:
            yield f"charge of run {charge.run_id} from {charge.start_ms}: {plain(charge.cost_nanos)} is not its rate's"
        for run_id in self.out_of_reach[:_SHOWN]:
            yield f"charges of run {run_id} reach beyond what is noted: messages and `status` may leave them out"

    def as_json(self) -> dict[str, Any]:
        """Return it for scripts."""
        return {"ok": self.ok, "charges": self.charges, "totals": self.totals, "differences": list(self.lines())}


def verify_ledger(view: View) -> Verification:
    """Recompute every daily total from the charges and every charge's cost from its rate."""
    rates = view.all_rates()
    charges = list(ledger.all_charges(view.connection))
    right = daily_parts(charges, view.all_shares(), rates)
    marks = ",".join("?" * len(view.budgets)) or "NULL"
    sql = f"SELECT budget_id, scope_id, local_day, nanos FROM daily WHERE budget_id IN ({marks})"  # noqa: S608 - marks
    stored = {(row[0], row[1], row[2]): row[3] for row in query(view.connection, sql, *view.budgets)}
    keys = sorted({key for key, nanos in right.items() if nanos} | {key for key, nanos in stored.items() if nanos})
    differing = [
        (key, stored.get(key, 0), right.get(key, 0)) for key in keys if stored.get(key, 0) != right.get(key, 0)
    ]
    wrong = [charge for charge in charges if _cost(charge, rates[charge.rate_id]) != charge.cost_nanos]
    return Verification(len(charges), len(stored), tuple(differing), tuple(wrong), tuple(out_of_reach(view.connection)))


def _cost(charge: Charge, rate: Rate) -> int:
    return part_of(charge, rate, charge.start_ms, charge.end_ms)
