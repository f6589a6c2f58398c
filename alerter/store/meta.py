"""Single facts about the whole ledger."""

from __future__ import annotations

from sqlalchemy import Connection

from alerter.store.bulk import query

_EVALUATED = "evaluated_ms"
_CLOSED = "closed_ms"


def evaluated_ms(connection: Connection) -> int | None:
    """Return when the budgets were last evaluated (epoch ms); None before the first time."""
    return _get(connection, _EVALUATED)


def set_evaluated(connection: Connection, at_ms: int) -> None:
    """Record an evaluation."""
    _set(connection, _EVALUATED, at_ms)


def closed_ms(connection: Connection) -> int | None:
    """Return up to when periods that ended were closed (epoch ms); None before the first time."""
    return _get(connection, _CLOSED)


def set_closed(connection: Connection, at_ms: int) -> None:
    """Record that every period that ended up to then is closed."""
    _set(connection, _CLOSED, at_ms)


def _get(connection: Connection, name: str) -> int | None:
    found = query(connection, "SELECT value FROM meta WHERE name = ?", name).scalar()
    return None if found is None else int(found)


def _set(connection: Connection, name: str, value: int) -> None:
    query(
        connection,
        "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        name,
        str(value),
    )
