"""The daily totals of budgets that come later: the database adds up what lies within one local day.

Tag sets are matched once, not charges. Only a charge that goes over a local midnight is looked at by itself, since its
parts are rounded; its parts and the database's sums are integers, so that the totals are exact in any order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from alerter.core.charges import Rate
from alerter.core.periods import DAY_MS, day_of, midnight_ms
from alerter.store.bulk import insert_rows, query
from alerter.store.interning import Interner
from alerter.store.ledger import METERS
from alerter.store.totals import Attribution, DailyKey, add_daily, cost_to

Stretch = tuple[int, int, int]
"""``(first day, its midnight, end)``: local days, each of 24 hours, from an instant to another (epoch ms)."""

Parts = dict[tuple[int, int, int], int]
"""Nanos by (tag set id, meter, local day)."""

_LAST_MS = "(CASE WHEN end_ms > start_ms THEN end_ms - 1 ELSE start_ms END)"


def rebuild(connection: Connection, attribution: Attribution, interner: Interner, budget_ids: Sequence[int]) -> None:
    """Total some budgets anew from the charges; ``attribution`` must hold just these budgets."""
    insert_rows(connection, "DELETE FROM daily WHERE budget_id = ?", [(each,) for each in budget_ids])
    add_daily(connection, recompute(connection, attribution, interner))


def recompute(connection: Connection, attribution: Attribution, interner: Interner) -> dict[DailyKey, int]:
    """Return the daily totals that the charges give: the same, to the nano, as `daily_parts` of all of them."""
    first_ms, last_ms = query(connection, "SELECT MIN(start_ms), MAX(end_ms) FROM charge").one()
    if first_ms is None:
        return {}
    shares = attribution.shares(connection, interner.tag_sets.all(connection))
    rates = interner.rates.all(connection)
    totals: dict[DailyKey, int] = {}
    for zone in {share.zone for found in shares.values() for share in found}:
        day = _day_in(stretches(zone, first_ms, last_ms))
        nanos = _within_days(connection, day)
        _add_over_midnight(nanos, connection, day, zone, rates)
        counting = {
            (tag_set_id, meter): [
                (share.budget_id, share.scope_id)
                for share in shares[tag_set_id]
                if share.zone == zone and share.counts(METERS[meter])
            ]
            for tag_set_id, meter in {place[:2] for place in nanos}
        }
        for (tag_set_id, meter, local_day), part in nanos.items():
            for scope in counting[tag_set_id, meter]:
                key = (*scope, local_day)
                totals[key] = totals.get(key, 0) + part
    return totals


def stretches(zone: str, first_ms: int, last_ms: int) -> list[Stretch]:
    """Return the local days that ``[first, last]`` touches, those of one change of clocks to the next in one piece.

    A day on which clocks change is a stretch of its own: however long it is, it is one day.
    """
    found: list[Stretch] = []
    for day in range(day_of(zone, first_ms), day_of(zone, last_ms) + 1):
        start, end = midnight_ms(zone, day), midnight_ms(zone, day + 1)
        if start == end:
            continue  # a zone that changed sides of the date line left this day out
        first, since = found[-1][:2] if found else (day, start)
        if found and end - start == DAY_MS and start - since == (day - first) * DAY_MS:
            found[-1] = (first, since, end)
        else:
            found.append((day, start, end))
    return found


def _day_in(known: Sequence[Stretch]) -> str:
    """Return SQL that gives the local day of ``{at}``, an instant in one of the stretches."""
    parts = []
    for day, start, end in known:
        whole = (end - start) % DAY_MS == 0
        parts.append(f"WHEN {{at}} < {end} THEN {f'{day} + ({{at}} - {start}) / {DAY_MS}' if whole else day}")
    return f"(CASE {' '.join(parts)} END)"


def _within_days(connection: Connection, day: str) -> Parts:
    """Return what the charges cost that begin and end on one local day."""
    first, last = day.format(at="start_ms"), day.format(at=_LAST_MS)
    sql = (
        f"SELECT tag_set_id, meter, {first} AS day, SUM(cost_nanos) FROM charge "
        f"WHERE {first} = {last} GROUP BY tag_set_id, meter, day"
    )
    rows = query(connection, sql).fetchall()
    return {(tag_set_id, meter, local_day): int(nanos) for tag_set_id, meter, local_day, nanos in rows}


def _add_over_midnight(parts: Parts, connection: Connection, day: str, zone: str, rates: Mapping[int, Rate]) -> None:
    """Add what the others cost on each of their local days: a difference of cumulative costs, as everywhere."""
    first, last = day.format(at="start_ms"), day.format(at=_LAST_MS)
    sql = (
        "SELECT tag_set_id, meter, rate_id, quantity, start_ms, end_ms, cost_nanos, "
        f"{first} AS first_day, {last} AS last_day FROM charge WHERE cost_nanos <> 0 AND {first} <> {last}"
    )
    for tag_set_id, meter, rate_id, quantity, start_ms, end_ms, cost, since, until in query(connection, sql).fetchall():
        rate, before = rates[rate_id], 0
        for local_day in range(since, until):
            nanos = cost_to(rate, quantity, (start_ms, end_ms), midnight_ms(zone, local_day + 1))
            key = (tag_set_id, meter, local_day)
            parts[key] = parts.get(key, 0) + nanos - before
            before = nanos
        key = (tag_set_id, meter, until)
        parts[key] = parts.get(key, 0) + cost - before
