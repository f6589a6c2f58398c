"""The ledger's rows: charges that are only ever added, and open segments."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection

from alerter.core.charges import Rate, cost_between
from alerter.core.usage import Meter
from alerter.store.blocks import places, widen
from alerter.store.bulk import append_rows, insert_rows, query, select_in

METER_CODES: dict[Meter, int] = {meter: code for code, meter in enumerate(Meter, 1)}
CHARGE_COLUMNS = "run_id, meter, start_ms, revision, end_ms, tag_set_id, rate_id, quantity, cost_nanos, correction_id"
METERS: dict[int, Meter] = {code: meter for meter, code in METER_CODES.items()}


class Charge(NamedTuple):
    """A charge row, of `CHARGE_COLUMNS`."""

    run_id: int
    meter: int
    start_ms: int
    revision: int
    end_ms: int
    tag_set_id: int
    rate_id: int
    quantity: int
    cost_nanos: int
    correction_id: int | None = None


ChargeValues = tuple[int, int, int, int, int, int, int, int, int, int | None]
"""A `Charge`, or the plain tuple of its values, which is quicker to make and to write."""

Plan = tuple[tuple[int, int], ...]
"""``(rate id, quantity)`` of each line that an open segment accrues at."""

Held = tuple[tuple[int, int | None, int, int], ...]
"""``(start ms, end ms or None, rate id, quantity)`` of what is not counted while a run is suspected stale."""


@dataclass(frozen=True, slots=True)
class OpenSegment:
    """A run that accrues since ``start_ms``.

    ``until_ms`` is up to when it counts while it is suspected stale, else None; ``held`` is what it was priced at after
    that, where that was settled or is at other rates. ``kin_ms`` is the last sign of life of a descendant that has
    ended, or None.
    """

    run_id: int
    start_ms: int
    tag_set_id: int
    plan: Plan
    until_ms: int | None = None
    kin_ms: int | None = None
    held: Held = ()


def all_charges(connection: Connection) -> Iterator[Charge]:
    """Yield every charge row, reversals included: they cancel in a sum."""
    yield from (Charge(*row) for row in query(connection, f"SELECT {CHARGE_COLUMNS} FROM charge"))


def charges_within(connection: Connection, start_ms: int, end_ms: int) -> Iterator[Charge]:
    """Yield every charge row that touches ``[start, end)``, reversals included; those of a run one after another."""
    for place in places(connection, start_ms, end_ms):
        sql = f"SELECT {CHARGE_COLUMNS} FROM charge c WHERE {place.where} ORDER BY run_id"
        yield from (Charge(*row) for row in query(connection, sql, *place.values))


@dataclass(frozen=True, slots=True)
class History:
    """A run's charges that still stand, ascending by start, and the last revision under each (meter, start)."""

    standing: tuple[Charge, ...] = ()
    revisions: Mapping[tuple[int, int], int] = field(default_factory=dict)


def charges_of_run(connection: Connection, run_id: int) -> list[Charge]:
    """Return every charge row of a run, reversals included."""
    sql = f"SELECT {CHARGE_COLUMNS} FROM charge WHERE run_id = ? ORDER BY start_ms, meter, revision"
    return [Charge(*row) for row in query(connection, sql, run_id)]


def histories(connection: Connection, run_ids: Sequence[int]) -> dict[int, History]:
    """Return the charges of those runs that have any."""
    sql = f"SELECT {CHARGE_COLUMNS} FROM charge WHERE run_id IN {{values}}"
    rows: dict[int, list[Charge]] = {}
    for row in select_in(connection, sql, run_ids):
        rows.setdefault(row[0], []).append(Charge(*row))
    return {run_id: history(each) for run_id, each in rows.items()}


def history(rows: Iterable[Charge]) -> History:
    """Return what stands of one run's charge rows: a reversal cancels the row that it repeats."""
    standing: dict[tuple[int, ...], list[Charge]] = {}
    revisions: dict[tuple[int, int], int] = {}
    for row in sorted(rows, key=lambda each: (each.start_ms, each.meter, each.revision)):
        revisions[row.meter, row.start_ms] = row.revision
        stack = standing.setdefault(charge_key(row), [])
        if row.quantity < 0:
            stack.pop()
        else:
            stack.append(row)
    alive = [row for stack in standing.values() for row in stack]
    return History(tuple(sorted(alive, key=lambda each: (each.start_ms, each.meter))), revisions)


def charge_key(charge: Charge) -> tuple[int, ...]:
    """Return what makes two charges of a run the same, whatever their revision and sign."""
    return (
        charge.meter,
        charge.start_ms,
        charge.end_ms,
        charge.tag_set_id,
        charge.rate_id,
        abs(charge.quantity),
    )


_OPEN_COLUMNS = "o.run_id, o.start_ms, o.tag_set_id, o.plan, o.until_ms, o.kin_ms, o.held"
_OPEN = f"SELECT {_OPEN_COLUMNS} FROM open_segment o "


def open_segments(connection: Connection, source_id: int) -> dict[int, OpenSegment]:
    """Return the runs of a source that accrue, by run id."""
    # CROSS keeps SQLite, here and below, from walking over all runs of the source to find the few that accrue.
    rows = query(connection, _OPEN + "CROSS JOIN run r WHERE r.id = o.run_id AND r.source_id = ?", source_id)
    return {row[0]: _segment(row) for row in rows}


def open_of(connection: Connection, run_ids: Sequence[int]) -> dict[int, OpenSegment]:
    """Return the open segments of those runs that have one."""
    rows = select_in(connection, _OPEN + "WHERE o.run_id IN {values}", run_ids)
    return {row[0]: _segment(row) for row in rows}


def all_open(connection: Connection) -> list[tuple[OpenSegment, int]]:
    """Return every run that accrues, with its source's last complete poll (its own start before the first)."""
    sql = (
        f"SELECT {_OPEN_COLUMNS}, COALESCE(s.complete_ms, o.start_ms) "
        "FROM open_segment o CROSS JOIN run r CROSS JOIN source s WHERE r.id = o.run_id AND s.id = r.source_id"
    )
    return [(_segment(row), row[7]) for row in query(connection, sql)]


def open_runs(connection: Connection, source_id: int) -> frozenset[str]:
    """Return the run ids (MLflow's) of a source's runs that accrue."""
    sql = "SELECT r.run_uuid FROM open_segment o CROSS JOIN run r WHERE r.id = o.run_id AND r.source_id = ?"
    return frozenset(row[0] for row in query(connection, sql, source_id))


def add_charges(connection: Connection, charges: Sequence[ChargeValues]) -> None:
    """Append charges; nothing in this table is ever updated or deleted."""
    widen(connection, charges)
    append_rows(connection, "charge", CHARGE_COLUMNS, charges)


def put_open(connection: Connection, segments: Sequence[OpenSegment]) -> None:
    """Write open segments anew."""
    rows = [
        (each.run_id, each.start_ms, each.tag_set_id, json.dumps(each.plan), each.until_ms, each.kin_ms, held)
        for each in segments
        for held in (json.dumps(each.held) if each.held else None,)
    ]
    insert_rows(
        connection,
        "INSERT INTO open_segment (run_id, start_ms, tag_set_id, plan, until_ms, kin_ms, held) VALUES (?,?,?,?,?,?,?) "
        "ON CONFLICT (run_id) DO UPDATE SET start_ms = excluded.start_ms, tag_set_id = excluded.tag_set_id, "
        "plan = excluded.plan, until_ms = excluded.until_ms, kin_ms = excluded.kin_ms, held = excluded.held",
        rows,
    )


def drop_open(connection: Connection, run_ids: Sequence[int]) -> None:
    """Remove the open segments of runs that no longer accrue."""
    insert_rows(connection, "DELETE FROM open_segment WHERE run_id = ?", [(each,) for each in run_ids])


def add_correction(connection: Connection, run_id: int, at_ms: int, reason: str) -> int:
    """Record why a run's charges are reversed and return the correction's id."""
    correction_id = int(query(connection, "SELECT MAX(id) FROM correction").scalar() or 0) + 1
    query(
        connection,
        "INSERT INTO correction (id, run_id, at_ms, reason) VALUES (?,?,?,?)",
        correction_id,
        run_id,
        at_ms,
        reason,
    )
    return correction_id


def correction_reasons(connection: Connection, ids: Sequence[int]) -> dict[int, str]:
    """Return why charges were corrected, by the corrections' ids."""
    return dict(map(tuple, select_in(connection, "SELECT id, reason FROM correction WHERE id IN {values}", ids)))


def part_of(charge: Charge, rate: Rate, since_ms: int, until_ms: int) -> int:
    """Return the nanos of a charge that fall into ``[since, until)``, which lies within it; negative for a reversal."""
    return cost_between(rate, charge.quantity, (charge.start_ms, charge.end_ms), (since_ms, until_ms))


def _segment(row: Any) -> OpenSegment:
    held = tuple(tuple(each) for each in json.loads(row[6])) if row[6] else ()
    return OpenSegment(row[0], row[1], row[2], _plan(row[3]), row[4], row[5], held)


def _plan(text: str) -> Plan:
    return tuple((rate_id, quantity) for rate_id, quantity in json.loads(text))
