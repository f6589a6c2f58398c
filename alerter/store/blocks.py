"""Where the charges of a time are: runs in blocks of a thousand, and from when to when each block's charges reach.

Charges lie by run, and runs are numbered as they are first seen: what a month cost lies close together, with a run here
and there that came late or ran for long. A block costs one row for a thousand runs; an index would cost one a charge.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection

from alerter.core.periods import DAY_MS
from alerter.core.usage import Meter
from alerter.store.bulk import CHUNK, insert_rows, query

RUNS = 1_000
"""In one block."""

LONGEST_MS = 2 * DAY_MS
"""No charge of a row that lasts (storage by the day, tokens, folded days) is longer, wherever its days begin."""

_LASTING = "(state = 'FOLDED' OR state = 'STORAGE' OR state = 'TOKENS') AND parent_uuid IS NULL"
"""Of the rows that are no runs: those that are about none, to which charges are added for ever; the words of an index.

SQLite makes a table of what stands in ``IN`` for each row that it looks at: a run took half as long again to insert.
"""

_RUN, _START, _END = itemgetter(0), itemgetter(2), itemgetter(4)

_METERS = ", ".join(str(code) for code, _ in enumerate(Meter, 1))
"""All of them: given meter and run, charges are found by their start."""

_WIDEN = (
    "INSERT INTO charge_block (block, first_ms, last_ms) VALUES (?,?,?) ON CONFLICT (block) DO UPDATE SET "
    "first_ms = CASE WHEN excluded.first_ms < charge_block.first_ms THEN excluded.first_ms "
    "ELSE charge_block.first_ms END, "
    "last_ms = CASE WHEN excluded.last_ms > charge_block.last_ms THEN excluded.last_ms ELSE charge_block.last_ms END"
)


@dataclass(frozen=True, slots=True)
class Place:
    """A condition on ``charge c``, with its values: a part of what touches a time, all rows of a run together."""

    where: str
    values: tuple[int, ...]


def widen(connection: Connection, charges: Iterable[tuple[Any, ...]]) -> None:
    """Note how far charges reach that are added; they are rows as of `Charge`."""
    rows, at, reach = sorted(charges, key=_RUN), 0, []
    while at < len(rows):
        block = rows[at][0] // RUNS
        until = bisect_left(rows, (block + 1) * RUNS, at, key=_RUN)
        some = rows[at:until]
        reach.append((block, min(map(_START, some)), max(map(_END, some))))
        at = until
    insert_rows(connection, _WIDEN, reach)


def places(connection: Connection, start_ms: int, end_ms: int) -> list[Place]:
    """Return where each charge row that touches ``[start, end)`` is, once, ascending by run but for those that last."""
    sql = "SELECT block FROM charge_block WHERE last_ms > ? AND first_ms < ?"  # in no order: it would take the key's
    blocks = sorted(row[0] for row in query(connection, sql, start_ms, end_ms))
    found, lasting = [], []
    for first, after in _stretches(blocks):
        sql = f"SELECT id FROM run WHERE {_LASTING} AND id >= ? AND id < ? ORDER BY id"
        ids = [row[0] for row in query(connection, sql, first, after)]
        lasting += ids
        for since, until in _between(ids, first, after):
            where = "c.run_id >= ? AND c.run_id < ? AND c.end_ms > ? AND c.start_ms < ?"
            found.append(Place(where, (since, until, start_ms, end_ms)))
    for at in range(0, len(lasting), CHUNK):
        some = lasting[at : at + CHUNK]
        where = f"c.run_id IN ({','.join('?' * len(some))}) AND c.meter IN ({_METERS}) AND c.start_ms > ? "
        times = (start_ms - LONGEST_MS, start_ms, end_ms)
        found.append(Place(f"{where} AND c.end_ms > ? AND c.start_ms < ?", (*some, *times)))
    return found


def out_of_reach(connection: Connection) -> list[int]:
    """Return the runs with charges that `places` would not find."""
    beyond = (
        f"SELECT DISTINCT c.run_id FROM charge c LEFT JOIN charge_block b ON b.block = c.run_id / {RUNS} "
        "WHERE b.block IS NULL OR c.start_ms < b.first_ms OR c.end_ms > b.last_ms"
    )
    long = (
        "SELECT DISTINCT c.run_id FROM run r JOIN charge c ON c.run_id = r.id "
        f"WHERE {_LASTING} AND c.end_ms - c.start_ms > ?"
    )
    return sorted({row[0] for rows in (query(connection, beyond), query(connection, long, LONGEST_MS)) for row in rows})


def _stretches(blocks: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the run ids ``[first, after)`` of blocks that follow on one another."""
    for _, together in groupby(enumerate(blocks), key=lambda each: each[1] - each[0]):
        members = [block for _, block in together]
        yield members[0] * RUNS, (members[-1] + 1) * RUNS


def _between(ids: Sequence[int], first: int, after: int) -> Iterator[tuple[int, int]]:
    """Yield what is left of ``[first, after)`` without some ids."""
    for each in (*ids, after):
        if first < each:
            yield first, each
        first = each + 1
