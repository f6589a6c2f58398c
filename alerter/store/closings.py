"""What periods had come to when they closed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from alerter.core.periods import Period, PeriodKind
from alerter.store.bulk import insert_rows, query


@dataclass(frozen=True, slots=True)
class Closing:
    """A period of a budget that is over, and when its totals were noted (epoch ms)."""

    id: int
    period: Period
    at_ms: int


def is_closed(connection: Connection, budget_id: int, first_day: int) -> bool:
    """Tell whether the totals of a period were noted; it is named by its first local day (``date.toordinal()``)."""
    sql = "SELECT 1 FROM closing WHERE budget_id = ? AND first_day = ?"
    return query(connection, sql, budget_id, first_day).first() is not None


def close(connection: Connection, budget_id: int, period: Period, at_ms: int, totals: Mapping[int, int]) -> None:
    """Note what each scope (by its row id) had spent in a period, in nanos."""
    days = (period.start.toordinal(), period.end.toordinal())
    sql = "INSERT INTO closing (budget_id, kind, first_day, end_day, at_ms) VALUES (?,?,?,?,?)"
    query(connection, sql, budget_id, period.kind.value, *days, at_ms)
    found = query(connection, "SELECT id FROM closing WHERE budget_id = ? AND first_day = ?", budget_id, days[0])
    closing_id = int(found.scalar_one())
    rows = [(closing_id, scope_id, nanos) for scope_id, nanos in totals.items() if nanos]
    insert_rows(connection, "INSERT INTO closing_total (closing_id, scope_id, nanos) VALUES (?,?,?)", rows)


def closings(connection: Connection, budget_id: int, limit: int | None = None) -> list[Closing]:
    """Return the last closed periods of a budget, the newest first; all of them without a limit."""
    sql = "SELECT id, kind, first_day, end_day, at_ms FROM closing WHERE budget_id = ? ORDER BY first_day DESC"
    some, values = (" LIMIT ?", (budget_id, limit)) if limit is not None else ("", (budget_id,))
    return [
        Closing(row.id, Period(PeriodKind(row.kind), *map(date.fromordinal, (row.first_day, row.end_day))), row.at_ms)
        for row in query(connection, sql + some, *values)
    ]


def closed_totals(connection: Connection, closing_id: int) -> dict[int, int]:
    """Return what each scope had spent, in nanos, by its row id."""
    rows = query(connection, "SELECT scope_id, nanos FROM closing_total WHERE closing_id = ?", closing_id)
    return {row.scope_id: row.nanos for row in rows}


def settled_totals(connection: Connection, budget_id: int, period: Period) -> dict[int, int]:
    """Return what each scope's settled charges in a period sum to now, in nanos, by its row id."""
    sql = "SELECT scope_id, SUM(nanos) FROM daily WHERE budget_id = ? AND local_day BETWEEN ? AND ? GROUP BY scope_id"
    days = (period.start.toordinal(), period.end.toordinal() - 1)
    return {scope_id: int(nanos) for scope_id, nanos in query(connection, sql, budget_id, *days)}


def forget_closings(connection: Connection, budget_ids: Sequence[int]) -> None:
    """Drop what is known of budgets that count other runs now: their old totals say nothing about the new ones."""
    rows = [(each,) for each in budget_ids]
    of_budget = "SELECT id FROM closing WHERE budget_id = ?"
    insert_rows(connection, f"DELETE FROM closing_total WHERE closing_id IN ({of_budget})", rows)
    insert_rows(connection, "DELETE FROM closing WHERE budget_id = ?", rows)
