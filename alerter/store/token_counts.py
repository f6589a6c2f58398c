"""How many tokens the ledger's charges of tokens are for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import astuple

from sqlalchemy import Connection

from alerter.core.usage import Meter, TokenCount
from alerter.store.bulk import insert_rows, select_in
from alerter.store.ledger import METER_CODES, Charge

Place = tuple[int, int, int]
"""(row id, start in epoch ms, revision) of a charge of tokens."""

Counts = Mapping[Place, TokenCount]

_TOKENS = METER_CODES[Meter.TOKENS]


def place_of(charge: Charge) -> Place:
    """Return where a charge of tokens stands."""
    return charge.run_id, charge.start_ms, charge.revision


def put_counts(connection: Connection, counts: Counts) -> None:
    """Note how many tokens charges are for, which are added in the same transaction."""
    insert_rows(
        connection,
        "INSERT INTO token_count (run_id, start_ms, revision, fresh, cached, into_cache, out) VALUES (?,?,?,?,?,?,?)",
        [(*place, *astuple(count)) for place, count in counts.items()],
    )


def counts_of(connection: Connection, charges: Iterable[Charge]) -> dict[Place, TokenCount]:
    """Return how many tokens each of some charges is for: none of other meters, nor of an earlier version's charges."""
    places = {place_of(each) for each in charges if each.meter == _TOKENS}
    if not places:
        return {}
    starts = [start for _, start, _ in places]
    sql = (
        "SELECT run_id, start_ms, revision, fresh, cached, into_cache, out FROM token_count "
        "WHERE start_ms >= ? AND start_ms <= ? AND run_id IN {values}"
    )
    rows = select_in(connection, sql, sorted({run_id for run_id, _, _ in places}), min(starts), max(starts))
    found = {(row[0], row[1], row[2]): TokenCount(*row[3:]) for row in rows}
    return {place: count for place, count in found.items() if place in places}
