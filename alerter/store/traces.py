"""Traces in the ledger: which are counted, how far a source's were read, and the rows that carry their charges."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import Connection

from alerter.core.usage import Meter
from alerter.store.bulk import insert_rows, query, select_in
from alerter.store.interning import digest_of
from alerter.store.ledger import METER_CODES
from alerter.store.meta import fact, set_fact


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
    return fact(connection, f"traces:{source_id}")


def set_trace_cursor(connection: Connection, source_id: int, cursor: str) -> None:
    """Record how far a source's traces were read."""
    set_fact(connection, f"traces:{source_id}", cursor)


def token_revisions(connection: Connection, run_ids: Sequence[int], since_ms: int) -> dict[tuple[int, int], int]:
    """Return the last revision of token charges by (run id, start), of those that begin at ``since_ms`` or later."""
    sql = "SELECT run_id, start_ms, revision FROM charge WHERE meter = ? AND start_ms >= ? AND run_id IN {values}"
    found: dict[tuple[int, int], int] = {}
    for run_id, start_ms, revision in select_in(connection, sql, run_ids, METER_CODES[Meter.TOKENS], since_ms):
        found[run_id, start_ms] = max(revision, found.get((run_id, start_ms), -1))
    return found
