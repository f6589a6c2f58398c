"""Runs that ended since the last evaluation, which looks at each once more."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from alerter.store.bulk import insert_rows, query


def note_ended(connection: Connection, run_ids: Sequence[int]) -> None:
    """Note runs (the ledger's ids) that have ended, with what they were charged."""
    insert_rows(
        connection,
        "INSERT INTO ended_run (run_id) VALUES (?) ON CONFLICT DO NOTHING",
        [(each,) for each in sorted(set(run_ids))],
    )


def take_ended(connection: Connection) -> list[int]:
    """Return the runs that were noted, and forget them, in the transaction of the evaluation."""
    ids = [row.run_id for row in query(connection, "SELECT run_id FROM ended_run ORDER BY run_id")]
    insert_rows(connection, "DELETE FROM ended_run WHERE run_id = ?", [(each,) for each in ids])
    return ids
