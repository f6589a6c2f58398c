"""Traces in the ledger: which are counted, how far a source's were read, and the rows that carry their charges."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from sqlalchemy import Connection

from alerter.core.usage import Meter, TokenCount
from alerter.store.bulk import insert_rows, query, select_in
from alerter.store.interning import digest_of
from alerter.store.ledger import METER_CODES
from alerter.store.meta import fact, set_fact


@dataclass(frozen=True, slots=True)
class TraceLine:
    """A part of a charge: of a row, in a quarter of an hour, at a rate; ``model`` is whose tokens.

    ``count`` is how many they are; None of those that an earlier version counted.
    """

    row_id: int
    start_ms: int
    rate_id: int
    quantity: int
    model: str
    count: TokenCount | None = None


@dataclass(frozen=True, slots=True)
class CountedTrace:
    """A counted trace: a digest of the tags that it was counted under, and where its tokens stand."""

    tags_digest: int
    lines: tuple[TraceLine, ...]


def counted(connection: Connection, source_id: int, trace_ids: Collection[str]) -> set[str]:
    """Return those of some traces that are counted."""
    digests = {digest_of(each): each for each in trace_ids}
    sql = "SELECT digest FROM counted_trace WHERE source_id = ? AND digest IN {values}"
    return {digests[row[0]] for row in select_in(connection, sql, list(digests), source_id)}


def counted_traces(connection: Connection, source_id: int, trace_ids: Collection[str]) -> dict[str, CountedTrace]:
    """Return where the tokens of counted traces stand, by their ids; without those of an earlier version."""
    digests = {digest_of(each): each for each in trace_ids}
    sql = "SELECT digest, tags_digest, lines FROM counted_trace WHERE source_id = ? AND digest IN {values}"
    return {
        digests[digest]: CountedTrace(tags_digest, tuple(map(_line, json.loads(lines))))
        for digest, tags_digest, lines in select_in(connection, sql, list(digests), source_id)
        if lines is not None
    }


def put_counted(connection: Connection, source_id: int, traces: Mapping[tuple[str, int], CountedTrace]) -> None:
    """Note traces, by (id, when it began), as counted, or where their tokens stand now."""
    rows = [
        (source_id, digest_of(trace_id), at_ms, each.tags_digest, _text(each.lines))
        for (trace_id, at_ms), each in traces.items()
    ]
    insert_rows(
        connection,
        "INSERT INTO counted_trace (source_id, digest, at_ms, tags_digest, lines) VALUES (?,?,?,?,?) "
        "ON CONFLICT (source_id, digest) DO UPDATE SET tags_digest = excluded.tags_digest, lines = excluded.lines",
        rows,
    )


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


def _line(values: Sequence[Any]) -> TraceLine:
    row_id, start_ms, rate_id, quantity, model, *count = values
    return TraceLine(row_id, start_ms, rate_id, quantity, model, TokenCount(*count[0]) if any(count) else None)


def _text(lines: Sequence[TraceLine]) -> str:
    return json.dumps([astuple(each) for each in lines], ensure_ascii=False, separators=(",", ":"))
