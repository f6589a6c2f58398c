"""The ledger as a finance person reads it: every charge in order of time, with when and why it was corrected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from alerter.store.bulk import query, select_in
from alerter.store.ledger import CHARGE_COLUMNS, Charge


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


RunLines = tuple[int, int, int, int, int, int, int]
"""Run id, tag set id, start and end in epoch ms, and how many lines stand over it: priced, of low confidence, gaps."""


def run_lines_within(connection: Connection, start_ms: int, end_ms: int, meters: Iterable[int]) -> Iterator[RunLines]:
    """Yield what stands of runs' time that touches ``[start, end)``, counted by the database: a reversal takes away."""
    sign = "CASE WHEN c.quantity > 0 THEN 1 ELSE -1 END"
    sums = ", ".join(
        f"SUM(CASE WHEN r.confidence = '{level}' THEN {sign} ELSE 0 END)" for level in ("high", "low", "gap")
    )
    wanted = ", ".join(map(str, sorted(meters)))
    sql = (
        f"SELECT c.run_id, c.tag_set_id, c.start_ms, c.end_ms, {sums} FROM charge c JOIN rate r ON r.id = c.rate_id "
        f"WHERE c.end_ms > ? AND c.start_ms < ? AND c.meter IN ({wanted}) "
        "GROUP BY c.run_id, c.tag_set_id, c.start_ms, c.end_ms"
    )
    yield from map(tuple, query(connection, sql, start_ms, end_ms))


def gap_charges(connection: Connection, start_ms: int, end_ms: int) -> Iterator[Charge]:
    """Yield the charge rows that touch ``[start, end)`` and have no price, reversals included."""
    columns = ", ".join(f"c.{each}" for each in CHARGE_COLUMNS.split(", "))
    sql = (
        f"SELECT {columns} FROM charge c JOIN rate r ON r.id = c.rate_id "
        "WHERE r.confidence = 'gap' AND c.end_ms > ? AND c.start_ms < ?"
    )
    yield from (Charge(*row) for row in query(connection, sql, start_ms, end_ms))


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
    sql = (
        "SELECT tag_set_id, meter, SUM(cost_nanos) FROM charge WHERE start_ms >= ? AND end_ms <= ? "
        f"AND meter IN ({', '.join(map(str, meters))}) GROUP BY tag_set_id, meter"
    )
    yield from ((row[0], row[1], int(row[2])) for row in query(connection, sql, start_ms, end_ms))


def charges_over_edges(connection: Connection, start_ms: int, end_ms: int, meters: Iterable[int]) -> Iterator[Charge]:
    """Yield the charge rows that lie only in part in ``[start, end)``, reversals included."""
    sql = (
        f"SELECT {CHARGE_COLUMNS} FROM charge WHERE end_ms > ? AND start_ms < ? AND (start_ms < ? OR end_ms > ?) "
        f"AND meter IN ({', '.join(map(str, meters))})"
    )
    yield from (Charge(*row) for row in query(connection, sql, start_ms, end_ms, start_ms, end_ms))


def corrections(connection: Connection, ids: Sequence[int]) -> dict[int, Correction]:
    """Return corrections by their ids."""
    rows = select_in(connection, "SELECT id, at_ms, reason FROM correction WHERE id IN {values}", ids)
    return {row[0]: Correction(row[1], row[2]) for row in rows}
