"""Traces in the ledger: which are counted, how far a source's were read, and the rows that carry their charges."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import Connection

from alerter.core.usage import Meter
from alerter.store.bulk import insert_rows, query, select_in
from alerter.store.interning import digest_of
from alerter.store.ledger import METER_CODES

STATE = "TOKENS"
"""The state of a `run` row that is no run: the tokens of one model, of one run's or one experiment's traces."""

PREFIX = "tokens:"
"""How the id of such a row begins; it ends with the id of the run that logged the traces, if one did."""

CarrierValues = tuple[int, str, str, str, int, int, int]
"""(id, `carrier_id`, experiment id, name, start in epoch ms, tag set id, usage set id)."""


def carrier_id(source_run: str | None, *parts: object) -> str:
    """Return the id of the row that carries charges of ``parts`` (experiment, model, tags)."""
    return f"{PREFIX}{digest_of(source_run or '', *parts):016x}:{source_run or ''}"


def is_carrier(run_uuid: str) -> bool:
    """Tell whether a row is no run but carries token charges."""
    return run_uuid.startswith(PREFIX)


def run_of(run_uuid: str) -> str:
    """Return the run that a row's page shows: its own, or the one that logged the traces; ``""`` for none."""
    return run_uuid.rpartition(":")[2] if is_carrier(run_uuid) else run_uuid


def counted(connection: Connection, source_id: int, trace_ids: Collection[str]) -> set[str]:
    """Return those of some traces that are counted."""
    digests = {digest_of(each): each for each in trace_ids}
    sql = "SELECT digest FROM counted_trace WHERE source_id = ? AND digest IN {values}"
    return {digests[row[0]] for row in select_in(connection, sql, list(digests), source_id)}


def add_counted(connection: Connection, source_id: int, traces: Iterable[tuple[str, int]]) -> None:
    """Note traces, as (id, when it began), as counted."""
    rows = [(source_id, digest_of(trace_id), at_ms) for trace_id, at_ms in traces]
    insert_rows(connection, "INSERT INTO counted_trace (source_id, digest, at_ms) VALUES (?,?,?)", rows)


def forget_counted(connection: Connection, source_id: int, before_ms: int) -> None:
    """Drop the notes of traces that are never read again."""
    query(connection, "DELETE FROM counted_trace WHERE source_id = ? AND at_ms < ?", source_id, before_ms)


def trace_cursor(connection: Connection, source_id: int) -> str:
    """Return how far a source's traces were read, ``""`` if never."""
    found = query(connection, "SELECT value FROM meta WHERE name = ?", f"traces:{source_id}").scalar()
    return "" if found is None else str(found)


def set_trace_cursor(connection: Connection, source_id: int, cursor: str) -> None:
    """Record how far a source's traces were read."""
    query(
        connection,
        "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        f"traces:{source_id}",
        cursor,
    )


def token_revisions(connection: Connection, run_ids: Sequence[int], since_ms: int) -> dict[tuple[int, int], int]:
    """Return the last revision of token charges by (run id, start), of those that begin at ``since_ms`` or later."""
    sql = "SELECT run_id, start_ms, revision FROM charge WHERE meter = ? AND start_ms >= ? AND run_id IN {values}"
    found: dict[tuple[int, int], int] = {}
    for run_id, start_ms, revision in select_in(connection, sql, run_ids, METER_CODES[Meter.TOKENS], since_ms):
        found[run_id, start_ms] = max(revision, found.get((run_id, start_ms), -1))
    return found


def add_carriers(connection: Connection, source_id: int, rows: Sequence[CarrierValues]) -> None:
    """Insert the rows that carry token charges; see `carrier_id`."""
    insert_rows(
        connection,
        'INSERT INTO run (id, run_uuid, experiment_id, name, start_ms, tag_set_id, usage_set_id, source_id, "user", '
        "state, hash) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
        [(*row, source_id, "", STATE, 0) for row in rows],
    )
