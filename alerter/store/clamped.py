"""Runs whose times were corrected, since their clocks could not be believed."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from alerter.store.bulk import insert_rows, query


def put_clamped(connection: Connection, notes: Sequence[tuple[int, int, str]]) -> None:
    """Note runs: (the ledger's run id, the poll's time, what was corrected). The first time stays."""
    insert_rows(
        connection,
        "INSERT INTO clamped_run (run_id, at_ms, note) VALUES (?,?,?) "
        "ON CONFLICT (run_id) DO UPDATE SET note = excluded.note",
        notes,
    )


def drop_clamped(connection: Connection, run_ids: Sequence[int]) -> None:
    """Forget runs whose client has told other times."""
    insert_rows(connection, "DELETE FROM clamped_run WHERE run_id = ?", [(each,) for each in run_ids])


def clamped_note(connection: Connection, run_id: int) -> str:
    """Return what was corrected in a run's times; ``""`` if nothing was."""
    return str(query(connection, "SELECT note FROM clamped_run WHERE run_id = ?", run_id).scalar() or "")


def count_clamped(connection: Connection, start_ms: int, end_ms: int) -> int:
    """Return how many runs' times were corrected by polls within ``[start, end]``."""
    sql = "SELECT COUNT(*) FROM clamped_run WHERE at_ms >= ? AND at_ms <= ?"
    return int(query(connection, sql, start_ms, end_ms).scalar_one())
