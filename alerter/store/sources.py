"""The sources' rows: how far each tracking server was read, and since when it can't be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from alerter.store.bulk import query


@dataclass(frozen=True, slots=True)
class SourceState:
    """How far a source has been read; times are epoch ms, None where it never happened."""

    id: int
    name: str
    cursor: str
    swept: bool
    complete_ms: int | None
    failing_since_ms: int | None
    error: str
    told_down: bool


_SELECT = "SELECT id, name, cursor, swept, complete_ms, failing_since_ms, error, told_down FROM source "


def states(connection: Connection) -> list[SourceState]:
    """Return every source that was ever polled."""
    return [_state(row) for row in query(connection, _SELECT + "ORDER BY id")]


def source_state(connection: Connection, name: str) -> SourceState:
    """Return a source's row, made if it is new."""
    row = query(connection, _SELECT + "WHERE name = ?", name).one_or_none()
    if row is None:
        insert = "INSERT INTO source (name, cursor, swept, error, told_down) VALUES (?, '', ?, '', ?)"
        query(connection, insert, name, False, False)
        row = query(connection, _SELECT + "WHERE name = ?", name).one()
    return _state(row)


def _state(row: Any) -> SourceState:
    values = row._asdict()
    return SourceState(**values | {"swept": bool(row.swept), "told_down": bool(row.told_down)})


def advance(connection: Connection, source_id: int, cursor: str, *, swept: bool) -> None:
    """Record how far a source has been read, with the runs that were read."""
    query(
        connection,
        "UPDATE source SET cursor = ?, swept = (swept OR ?) WHERE id = ?",
        cursor,
        swept,
        source_id,
    )


def mark_complete(connection: Connection, source_id: int, at_ms: int) -> None:
    """Record a complete poll; an earlier time than the last one changes nothing."""
    query(
        connection,
        "UPDATE source SET complete_ms = ?, failing_since_ms = NULL, error = '' "
        "WHERE id = ? AND (complete_ms IS NULL OR complete_ms <= ?)",
        at_ms,
        source_id,
        at_ms,
    )


def mark_failing(connection: Connection, source_id: int, at_ms: int, error: str) -> None:
    """Record a failed or partial poll: its first moment stays until a complete one."""
    query(
        connection,
        "UPDATE source SET failing_since_ms = COALESCE(failing_since_ms, ?), error = ? WHERE id = ?",
        at_ms,
        error,
        source_id,
    )


def mark_told(connection: Connection, source_id: int, *, down: bool) -> None:
    """Record whether the operators know that a source is down."""
    query(connection, "UPDATE source SET told_down = ? WHERE id = ?", down, source_id)
