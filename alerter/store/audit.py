"""The ledger as a finance person reads it: every charge in order of time, with when and why it was corrected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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


def corrections(connection: Connection, ids: Sequence[int]) -> dict[int, Correction]:
    """Return corrections by their ids."""
    rows = select_in(connection, "SELECT id, at_ms, reason FROM correction WHERE id IN {values}", ids)
    return {row[0]: Correction(row[1], row[2]) for row in rows}
