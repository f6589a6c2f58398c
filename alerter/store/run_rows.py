"""The rows of runs: as each was last seen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from alerter.core.usage import RunObservation
from alerter.store.bulk import insert_rows, marks, query, select_in

LoneValues = tuple[int, int, str, str, str, str, int, int | None, str, int, int]
"""The row of a run that is nested in none and logs no cost."""

RunValues = tuple[*LoneValues, str | None, str | None]

_LONE_COLUMNS = (
    'id, source_id, run_uuid, experiment_id, "user", name, start_ms, end_ms, state, tag_set_id, usage_set_id'
)
_RUN_COLUMNS = f"{_LONE_COLUMNS}, parent_uuid, costs"
STORED = f"SELECT {_RUN_COLUMNS}, folded_ms FROM run "


class StoredRun(NamedTuple):
    """A run's row: `RunValues`, and up to when its charges were folded, which stay as they are."""

    id: int
    source_id: int
    run_uuid: str
    experiment_id: str
    user: str
    name: str
    start_ms: int
    end_ms: int | None
    state: str
    tag_set_id: int
    usage_set_id: int
    parent_uuid: str | None
    costs: str | None
    folded_ms: int | None

    def tells(self, run: RunObservation, tag_set_id: int, usage_set_id: int) -> bool:
        """Whether it says of a run what was seen of it; a sign of life alone changes nothing."""
        return self[:-1] == run_values(run, (self.id, self.source_id), (tag_set_id, usage_set_id))


def stored_runs(connection: Connection, source_id: int, uuids: Sequence[str]) -> dict[str, StoredRun]:
    """Return the rows of those runs that the ledger knows, by MLflow's run id."""
    sql = STORED + "WHERE source_id = ? AND run_uuid IN {values}"
    return {row.run_uuid: row for row in map(StoredRun._make, select_in(connection, sql, uuids, source_id))}


def stored_by_id(connection: Connection, run_ids: Sequence[int]) -> list[StoredRun]:
    """Return the rows of runs by the ledger's own ids."""
    return list(map(StoredRun._make, select_in(connection, STORED + "WHERE id IN {values}", run_ids)))


def nested_in(connection: Connection, source_id: int, uuids: Sequence[str]) -> list[StoredRun]:
    """Return the runs that are nested directly in others."""
    if not uuids or query(connection, "SELECT 1 FROM run WHERE parent_uuid IS NOT NULL LIMIT 1").first() is None:
        return []
    # The sign keeps SQLite from walking over all runs of the source instead of the few that have a parent.
    sql = STORED + "WHERE +source_id = ? AND parent_uuid IN {values}"
    return list(map(StoredRun._make, select_in(connection, sql, uuids, source_id)))


def next_run_id(connection: Connection) -> int:
    """Return the first free run id."""
    return int(query(connection, "SELECT MAX(id) FROM run").scalar() or 0) + 1


def run_values(run: RunObservation, identity: tuple[int, int], content: tuple[int, int]) -> RunValues:
    """Return a run's row for `put_runs`.

    ``identity`` is (run id, source id); ``content`` is (tag set id, usage set id).
    """
    return (*lone_values(run, identity, content), run.parent_uuid, json.dumps(run.costs) if run.costs else None)


def lone_values(run: RunObservation, identity: tuple[int, int], content: tuple[int, int]) -> LoneValues:
    """Return a run's row for `add_runs`; see `run_values`."""
    state = run.status + (" DELETED" if run.deleted else "")  # plain text, which a label is not
    text = (run.run_uuid, run.experiment_id, run.user, run.name)
    return (*identity, *text, run.start_ms, run.end_ms, state, *content)


def add_runs(connection: Connection, rows: Sequence[LoneValues]) -> None:
    """Insert runs that the ledger doesn't have; twice as fast as `put_runs` within a savepoint of SQLite."""
    insert_rows(connection, f"INSERT INTO run ({_LONE_COLUMNS}) VALUES {marks(_LONE_COLUMNS)}", rows)


def put_runs(connection: Connection, rows: Sequence[RunValues]) -> None:
    """Insert runs, or rewrite what was last seen of them."""
    latest = ", ".join(f"{each} = excluded.{each}" for each in _RUN_COLUMNS.split(", ")[3:])
    sql = f"INSERT INTO run ({_RUN_COLUMNS}) VALUES {marks(_RUN_COLUMNS)} ON CONFLICT (id) DO UPDATE SET {latest}"
    insert_rows(connection, sql, rows)


def mark_gone(connection: Connection, run_ids: Sequence[int]) -> None:
    """Note that a source no longer has these runs; should one come back, it is looked at anew."""
    insert_rows(connection, "UPDATE run SET state = 'GONE' WHERE id = ?", [(each,) for each in run_ids])
