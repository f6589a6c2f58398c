"""What people were told of each (budget, scope, period), or of one run in it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from alerter.core.decisions import Reason, Told
from alerter.store.bulk import insert_rows, select_in

EpisodeKey = tuple[int, int, str]
"""(budget id, scope id, first local day as an ISO date)."""

_COLUMNS = (
    "budget_id, scope_id, period_start, actual, forecast, told_ms, over_ms, escalated_ms, tellings, repeats, owed, "
    "silence, spent_nanos"
)


@dataclass(frozen=True, slots=True)
class Known:
    """What people know, and what was spent when that was decided (nanos)."""

    told: Told = Told()  # noqa: RUF009 - frozen
    spent: int = 0


def load_episodes(connection: Connection, starts: Collection[str], subject: str = "") -> dict[EpisodeKey, Known]:
    """Return what was told of the episodes that begin on some local days."""
    sql = f"SELECT {_COLUMNS} FROM episode WHERE subject = ? AND period_start IN {{values}}"
    found = {}
    for row in select_in(connection, sql, sorted(starts), subject):
        told = Told(
            actual=row.actual,
            forecast=row.forecast,
            told_ms=row.told_ms,
            over_ms=row.over_ms,
            escalated_ms=row.escalated_ms,
            tellings=row.tellings,
            repeats=row.repeats,
            owed=Reason(row.owed) if row.owed else None,
            silence=Reason(row.silence) if row.silence else None,
        )
        found[row.budget_id, row.scope_id, row.period_start] = Known(told, row.spent_nanos)
    return found


def save_episodes(connection: Connection, known: Mapping[EpisodeKey, Known], subject: str = "") -> None:
    """Record what is known of episodes."""
    values = ", ".join("?" * 14)
    changes = ", ".join(f"{each} = excluded.{each}" for each in _COLUMNS.split(", ")[3:])
    sql = (
        f"INSERT INTO episode ({_COLUMNS}, subject) VALUES ({values}) "
        f"ON CONFLICT (budget_id, scope_id, period_start, subject) DO UPDATE SET {changes}"
    )
    insert_rows(connection, sql, [(*key, *_facts(each.told), each.spent, subject) for key, each in known.items()])


def _facts(told: Told) -> tuple[object, ...]:
    reasons = (told.owed, told.silence)
    return (
        *(told.actual, told.forecast, told.told_ms, told.over_ms, told.escalated_ms, told.tellings, told.repeats),
        *(None if each is None else each.value for each in reasons),
    )
