"""The ledger as a finance person reads it: every charge in order of time, with when and why it was corrected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from alerter.store.blocks import Place, places
from alerter.store.bulk import CHUNK, query, select_in
from alerter.store.ledger import CHARGE_COLUMNS, Charge

_AT_ONCE = 1_000
"""Rows that are fetched together: one by one they take twice as long."""


@dataclass(frozen=True, slots=True)
class Correction:
    """When a correction was made (epoch ms), and why."""

    at_ms: int
    reason: str


def charges_by_time(connection: Connection, start_ms: int, end_ms: int) -> Iterator[Charge]:
    """Yield every charge row that touches ``[start, end)``, reversals included, in an order that stays the same."""
    sql = (
        f"SELECT {CHARGE_COLUMNS} FROM charge WHERE end_ms > ? AND start_ms < ? "
        "ORDER BY start_ms, run_id, meter, revision"
    )
    yield from (Charge(*row) for row in query(connection, sql, start_ms, end_ms))


def sorts_in(connection: Connection, where: Iterable[Place]) -> set[tuple[int, int]]:
    """Return the ``(tag set id, rate id)`` that charges of some places have."""
    sql = "SELECT DISTINCT c.tag_set_id, c.rate_id FROM charge c WHERE "
    return {(row[0], row[1]) for each in where for row in query(connection, sql + each.where, *each.values)}


def charges_in(connection: Connection, where: Iterable[Place], tag_set_ids: Sequence[int]) -> Iterator[Charge]:
    """Yield the charges of some places that have one of these tag sets, those of a run one after another."""
    few = len(tag_set_ids) <= CHUNK
    only = f"AND c.tag_set_id IN ({_marks(tag_set_ids)}) " if few else ""
    wanted = frozenset(tag_set_ids)
    for each in where if tag_set_ids else ():
        sql = f"SELECT {CHARGE_COLUMNS} FROM charge c WHERE {each.where} {only}ORDER BY c.run_id"
        for rows in query(connection, sql, *each.values, *(tag_set_ids if few else ())).partitions(_AT_ONCE):
            yield from (Charge(*row) for row in rows if row[5] in wanted)


_PLAIN = (
    "MIN(c.quantity) >= 0 AND MIN(c.tag_set_id) = MAX(c.tag_set_id) "
    "AND NOT EXISTS (SELECT 1 FROM open_segment o WHERE o.run_id = c.run_id)"
)
_HAS_GAP = "MAX(CASE WHEN r.confidence = 'gap' THEN 1 ELSE 0 END)"
_STANDS = "SUM(CASE WHEN c.quantity > 0 THEN 1 ELSE -1 END) > 0"


def count_runs(
    connection: Connection, window: tuple[int, int], but_meters: Sequence[int]
) -> tuple[dict[int, int], list[int], bool]:
    """Return how many runs were charged in a window by tag set, the ids of those that take a closer look, and gaps.

    A closer look is for the ones that accrue, had something reversed, or have several tag sets. The last is whether any
    charge had no price, be it reversed since.
    """
    counts: Counter[int] = Counter()
    others, gaps = [], False
    for place in places(connection, *window):
        sql = (
            "SELECT other, tag_set_id, COUNT(*), MAX(gap) FROM ("
            f"SELECT CASE WHEN {_PLAIN} THEN NULL ELSE c.run_id END AS other, MIN(c.tag_set_id) AS tag_set_id, "
            f"{_HAS_GAP} AS gap FROM charge c CROSS JOIN rate r "
            f"WHERE r.id = c.rate_id AND {place.where} AND c.meter NOT IN ({_marks(but_meters)}) GROUP BY c.run_id"
            ") AS each_run GROUP BY other, tag_set_id"
        )
        for other, tag_set_id, count, gap in query(connection, sql, *place.values, *but_meters):
            gaps = gaps or gap == 1
            if other is None:
                counts[tag_set_id] += count
            else:
                others.append(other)
    return counts, others, gaps


def sum_run_time(
    connection: Connection, window: tuple[int, int], meters: Sequence[int]
) -> tuple[list[tuple[int, bool, int]], list[int]]:
    """Return ``(tag set id, whether without a price, ms)`` of runs' time in a window, and the runs to look at closer.

    These are the ones that accrue, had something reversed, or have several tag sets or times.
    """
    one = "MIN(c.start_ms) = MAX(c.start_ms) AND MIN(c.end_ms) = MAX(c.end_ms)"
    first = "CASE WHEN MIN(c.start_ms) > ? THEN MIN(c.start_ms) ELSE ? END"
    last = "CASE WHEN MAX(c.end_ms) < ? THEN MAX(c.end_ms) ELSE ? END"
    sums, others = [], []
    for place in places(connection, *window):
        sql = (
            "SELECT other, tag_set_id, gap, SUM(span_ms) FROM ("
            f"SELECT CASE WHEN {_PLAIN} AND {one} THEN NULL ELSE c.run_id END AS other, "
            f"MIN(c.tag_set_id) AS tag_set_id, {_HAS_GAP} AS gap, {last} - {first} AS span_ms "
            f"FROM charge c CROSS JOIN rate r WHERE r.id = c.rate_id AND {place.where} "
            f"AND c.meter IN ({_marks(meters)}) GROUP BY c.run_id) AS each_run GROUP BY other, tag_set_id, gap"
        )
        start_ms, end_ms = window
        values = (end_ms, end_ms, start_ms, start_ms, *place.values, *meters)
        for other, tag_set_id, gap, span_ms in query(connection, sql, *values):
            if other is None:
                sums.append((tag_set_id, gap == 1, int(span_ms)))
            else:
                others.append(other)
    return sums, others


def standing_tags(
    connection: Connection, window: tuple[int, int], run_ids: Sequence[int], but_meters: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """Yield ``(run id, tag set id)`` of what stands of some runs in a window."""
    sql = (
        f"SELECT c.run_id, c.tag_set_id FROM charge c WHERE c.end_ms > ? AND c.start_ms < ? "
        f"AND c.meter NOT IN ({_marks(but_meters)}) AND c.run_id IN {{values}} "
        f"GROUP BY c.run_id, c.tag_set_id HAVING {_STANDS}"
    )
    yield from ((row[0], row[1]) for row in select_in(connection, sql, run_ids, *window, *but_meters))


RunLines = tuple[int, int, int, int, int, int, int]
"""Run id, tag set id, start and end in epoch ms, and how many lines stand over it: priced, of low confidence, gaps."""


def run_lines_within(connection: Connection, start_ms: int, end_ms: int, meters: Iterable[int]) -> Iterator[RunLines]:
    """Yield what stands of runs' time that touches ``[start, end)``, counted by the database: a reversal takes away."""
    for place in places(connection, start_ms, end_ms):
        yield from map(tuple, query(connection, _run_lines(place.where, meters), *place.values))


def run_lines_of(
    connection: Connection, window: tuple[int, int], run_ids: Sequence[int], meters: Iterable[int]
) -> Iterator[RunLines]:
    """Yield the same of some runs."""
    sql = _run_lines("c.end_ms > ? AND c.start_ms < ? AND c.run_id IN {values}", meters)
    yield from map(tuple, select_in(connection, sql, run_ids, *window))


def _run_lines(where: str, meters: Iterable[int]) -> str:
    sign = "CASE WHEN c.quantity > 0 THEN 1 ELSE -1 END"
    sums = ", ".join(
        f"SUM(CASE WHEN r.confidence = '{level}' THEN {sign} ELSE 0 END)" for level in ("high", "low", "gap")
    )
    return (
        f"SELECT c.run_id, c.tag_set_id, c.start_ms, c.end_ms, {sums} FROM charge c CROSS JOIN rate r "
        f"WHERE r.id = c.rate_id AND {where} AND c.meter IN ({', '.join(map(str, sorted(meters)))}) "
        "GROUP BY c.run_id, c.tag_set_id, c.start_ms, c.end_ms"
    )


def gap_charges(connection: Connection, start_ms: int, end_ms: int) -> Iterator[Charge]:
    """Yield the charge rows that touch ``[start, end)`` and have no price, reversals included."""
    columns = ", ".join(f"c.{each}" for each in CHARGE_COLUMNS.split(", "))
    for place in places(connection, start_ms, end_ms):
        sql = (
            f"SELECT {columns} FROM charge c CROSS JOIN rate r "
            f"WHERE r.id = c.rate_id AND r.confidence = 'gap' AND {place.where}"
        )
        yield from (Charge(*row) for row in query(connection, sql, *place.values))


def corrected_since(connection: Connection, since_ms: int) -> Iterator[tuple[Charge, str]]:
    """Yield the rows, reversals and what replaces them, of every correction after an instant, with its reason."""
    columns = ", ".join(f"c.{each}" for each in CHARGE_COLUMNS.split(", "))
    sql = (
        f"SELECT {columns}, k.reason FROM correction k "
        "JOIN charge c ON c.run_id = k.run_id AND c.correction_id = k.id WHERE k.at_ms > ?"
    )
    yield from ((Charge(*row[:-1]), row[-1]) for row in query(connection, sql, since_ms))


def sums_within(
    connection: Connection, start_ms: int, end_ms: int, meters: Iterable[int]
) -> Iterator[tuple[int, int, int]]:
    """Yield ``(tag set id, meter, nanos)`` of the charges that lie wholly in ``[start, end)``, added up."""
    for place in places(connection, start_ms, end_ms):
        sql = (
            f"SELECT c.tag_set_id, c.meter, SUM(c.cost_nanos) FROM charge c WHERE {place.where} "
            f"AND c.start_ms >= ? AND c.end_ms <= ? AND c.meter IN ({', '.join(map(str, meters))}) "
            "GROUP BY c.tag_set_id, c.meter"
        )
        rows = query(connection, sql, *place.values, start_ms, end_ms)
        yield from ((row[0], row[1], int(row[2])) for row in rows)


def charges_over_edges(connection: Connection, start_ms: int, end_ms: int, meters: Iterable[int]) -> Iterator[Charge]:
    """Yield the charge rows that lie only in part in ``[start, end)``, reversals included."""
    for place in places(connection, start_ms, end_ms):
        sql = (
            f"SELECT {CHARGE_COLUMNS} FROM charge c WHERE {place.where} AND (c.start_ms < ? OR c.end_ms > ?) "
            f"AND c.meter IN ({', '.join(map(str, meters))})"
        )
        yield from (Charge(*row) for row in query(connection, sql, *place.values, start_ms, end_ms))


def sum_gaps(connection: Connection, window: tuple[int, int], meter: int) -> Iterator[tuple[int, int]]:
    """Yield ``(tag set id, quantity)`` of one meter's charges in a window that have no price, added up."""
    for place in places(connection, *window):
        sql = (
            "SELECT c.tag_set_id, SUM(c.quantity) FROM charge c CROSS JOIN rate r WHERE r.id = c.rate_id "
            f"AND r.confidence = 'gap' AND {place.where} AND c.meter = ? GROUP BY c.tag_set_id"
        )
        yield from ((row[0], int(row[1])) for row in query(connection, sql, *place.values, meter))


def corrections(connection: Connection, ids: Sequence[int]) -> dict[int, Correction]:
    """Return corrections by their ids."""
    rows = select_in(connection, "SELECT id, at_ms, reason FROM correction WHERE id IN {values}", ids)
    return {row[0]: Correction(row[1], row[2]) for row in rows}


def _marks(values: Sequence[int]) -> str:
    return ",".join("?" * len(values))
