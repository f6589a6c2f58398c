"""The sources' rows: how far each tracking server was read, and since when it can't be."""

from __future__ import annotations

from dataclasses import dataclass

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


def source_state(connection: Connection, name: str) -> SourceState:
    """Return a source's row, made if it is new."""
    columns = "id, name, cursor, swept, complete_ms, failing_since_ms, error, told_down"
    sql = f"SELECT {columns} FROM source WHERE name = ?"
    row = query(connection, sql, name).one_or_none()
    if row is None:
        query(
            connection,
            "INSERT INTO source (name, cursor, swept, error, told_down) VALUES (?, '', ?, '', ?)",
            name,
            False,
            False,
        )
        row = query(connection, sql, name).one()
    return SourceState(row[0], row[1], row[2], bool(row[3]), row[4], row[5], row[6], bool(row[7]))


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
