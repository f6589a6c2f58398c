"""A ledger beside its oracle: what the one holds, and what the other says it should."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from alerter.explain import explain
from alerter.spending import accruals, by_budget
from alerter.verify import verify_ledger
from tests.truth.alarms import NANO, Scope
from tests.truth.days import midnights
from tests.truth.ledgers import House
from tests.truth.truth import Daily, Truth
from tests.truth.worlds import as_int


def ledger_totals(home: House, now: int) -> Daily:
    """The same from the program: the daily rows, and what accrues by local day."""
    names = {row_id: str(name) for row_id, name in home.rows("SELECT id, name FROM budget")}
    found: Daily = {}
    for budget, key, day, nanos in home.rows(
        "SELECT d.budget_id, s.key, d.local_day, d.nanos FROM daily d JOIN scope s ON s.id = d.scope_id"
    ):
        days = found.setdefault((names[budget], _scope(str(key))), {})
        days[date.fromordinal(as_int(day))] = as_int(nanos)
    keys = {row_id: _scope(str(key)) for row_id, key in home.rows("SELECT id, key FROM scope")}
    with home.services.ledger.write() as view:
        for budget_id, counted in by_budget(view, accruals(view, now)).items():
            for accruing, share in counted:
                days = found.setdefault((names[budget_id], keys[share.scope_id]), {})
                for day, since, until in midnights(share.zone, accruing.start_ms, accruing.as_of_ms):
                    days[day] = days.get(day, 0) + accruing.nanos(since, until, share)
    return {key: {day: nanos for day, nanos in days.items() if nanos} for key, days in found.items()}


def _scope(text: str) -> Scope:
    return tuple((key, value) for key, value in json.loads(text))


def alerts_of(home: House) -> dict[tuple[str, Scope, str, int], bool]:
    rows = home.rows(
        "SELECT b.name, s.key, a.period_start, a.percent, a.status FROM alert a "
        "JOIN budget b ON b.id = a.budget_id JOIN scope s ON s.id = a.scope_id"
    )
    return {(str(a), _scope(str(b)), str(c), as_int(d)): status == "firing" for a, b, c, d, status in rows}


def without_blanks(totals: Daily) -> Daily:
    return {key: days for key, days in totals.items() if days}


def check(home: House, truth: Truth, now: int) -> None:
    assert without_blanks(ledger_totals(home, now)) == without_blanks(truth.totals())
    assert alerts_of(home) == truth.alarms.firing
    with home.services.ledger.write() as view:
        verification = verify_ledger(view)
    assert verification.ok, list(verification.lines())
    assert all(as_int(nanos) >= 0 for (nanos,) in home.rows("SELECT nanos FROM daily"))


def check_evidence(home: House, truth: Truth, now: int) -> None:
    """Of every run and every alert `explain` shows lines that sum to what the oracle says, to the nano."""
    totals, paid = truth.totals(), truth.paid()
    with home.services.ledger.write() as view:
        for name, lines in paid.items():
            found = explain(view, name, now)
            assert _nanos(found["run"]["cost"]) == sum(line.until(line.end) for line in lines), name
            assert _sum(found["charges"]) == _nanos(found["run"]["cost"])
        for (public_id,) in home.rows("SELECT public_id FROM alert"):
            found = explain(view, str(public_id), now)
            first, after = map(date.fromisoformat, found["alert"]["period"])
            days = totals.get((found["alert"]["budget"], tuple(found["alert"]["scope"].items())), {})
            spent = sum(nanos for day, nanos in days.items() if first <= day < after)
            assert _nanos(found["alert"]["spent"]) == _sum(found["charges"]) == spent
            assert sum(_nanos(each["cost"]) for each in found["runs"]) == spent


def _sum(lines: Sequence[Mapping[str, str]]) -> int:
    return sum(_nanos(line["cost"]) for line in lines)


def _nanos(amount: str) -> int:
    return int(Decimal(amount) * NANO)
