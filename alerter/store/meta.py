"""Single facts about the whole ledger."""

from __future__ import annotations

from sqlalchemy import Connection

from alerter.store.bulk import query

_EVALUATED = "evaluated_ms"


def evaluated_ms(connection: Connection) -> int | None:
    """Return when the budgets were last evaluated (epoch ms); None before the first time."""
    found = query(connection, "SELECT value FROM meta WHERE name = ?", _EVALUATED).scalar()
    return None if found is None else int(found)


def set_evaluated(connection: Connection, at_ms: int) -> None:
    """Record an evaluation."""
    query(
        connection,
        "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        _EVALUATED,
        str(at_ms),
    )
