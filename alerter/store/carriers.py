"""Rows of `run` that are no runs: what can't be charged to one run is charged to one of these."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from alerter.store.bulk import insert_rows, query, select_in
from alerter.store.interning import digest_of
from alerter.store.run_rows import STORED, StoredRun

TOKENS = "tokens"
"""The tokens of one model, of one run's or one experiment's traces."""

STORAGE = "storage"
"""The bytes held under one experiment's tag set."""

FOLDED = "folded"
"""What finished runs of one tag set cost long ago, by the day."""

_KINDS = frozenset({TOKENS, STORAGE, FOLDED})

CarrierValues = tuple[int, str, str, str, int, int, int]
"""(id, `carrier_id`, experiment id, name, start in epoch ms, tag set id, usage set id)."""


def carrier_id(kind: str, source_run: str, *parts: object) -> str:
    """Return the id of the row that carries charges of ``parts`` (experiment, tags, ...).

    It ends with the run that they are about, if it is one (``source_run`` is not ``""``).
    """
    return f"{kind}:{digest_of(source_run, *parts):016x}:{source_run}"


def kind_of(run_uuid: str) -> str:
    """Return what a row carries the charges of: `TOKENS`, `STORAGE` or `FOLDED`; ``""`` for a run."""
    kind = run_uuid.partition(":")[0]
    return kind if kind in _KINDS else ""


def run_of(run_uuid: str) -> str:
    """Return the run that a row's page shows: its own, or the one that its charges are about; ``""`` for none."""
    return run_uuid.rpartition(":")[2] if kind_of(run_uuid) else run_uuid


def add_carriers(connection: Connection, source_id: int, kind: str, rows: Sequence[CarrierValues]) -> None:
    """Insert rows that carry charges of a kind."""
    insert_rows(
        connection,
        'INSERT INTO run (id, run_uuid, experiment_id, name, start_ms, tag_set_id, usage_set_id, source_id, "user", '
        "state, parent_uuid) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
        [(*row, source_id, "", kind.upper(), _about(kind, run_of(row[1]))) for row in rows],
    )


def carriers_of(connection: Connection, source_id: int, kind: str, run_uuids: Sequence[str]) -> list[StoredRun]:
    """Return the rows of a kind that are about some runs."""
    sql = STORED + "WHERE +source_id = ? AND parent_uuid IN {values}"
    about = [_about(kind, each) for each in run_uuids]
    return list(map(StoredRun._make, select_in(connection, sql, about, source_id)))


def set_tags(connection: Connection, row_id: int, tag_set_id: int) -> None:
    """Note the tags that a row's charges have now."""
    query(connection, "UPDATE run SET tag_set_id = ? WHERE id = ?", tag_set_id, row_id)


def _about(kind: str, run_uuid: str) -> str | None:
    """Return what stands where a nested run has its parent: no run's id, so that nobody takes it for nested."""
    return f"{kind}:{run_uuid}" if run_uuid else None
