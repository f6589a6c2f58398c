"""Retention: charges of finished runs in closed periods become daily sums, of each tag set and meter.

A sum is a charge like any other, of a row that is no run, over one local day: whoever reads charges reads it. It is cut
at the midnights of every zone that a budget counts in, so that each day's total stays what it was, to the nano.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise

from sqlalchemy import Connection

from alerter.core.charges import TOTAL, Confidence, Rate
from alerter.core.periods import DAY_MS, day_edges, day_of, midnight_ms
from alerter.core.usage import Meter
from alerter.store import ledger, meta, run_rows
from alerter.store.carriers import FOLDED, add_carriers, carrier_id
from alerter.store.folding import Foldable, foldable, last_revisions, last_run_id, take_out
from alerter.store.interning import Interner
from alerter.store.ledger import METER_CODES, Charge
from alerter.store.totals import View, cost_to

log = logging.getLogger(__name__)

AT_ONCE = 5_000
"""Runs that one cycle looks at; every day it begins with the first one."""

NAME = "finished runs, by the day"
_FACT = "folding"

Cell = tuple[int, int]
"""``[start, end)`` in epoch ms, within one local day of each zone."""

Sum = tuple[int, int, Rate, Cell]
"""(source id, tag set id, rate, cell) of nanos that are added up."""


def fold_some(view: View, *, before_ms: int, now_ms: int) -> int:
    """Fold what there is among the next `AT_ONCE` runs that was charged for nothing after ``before_ms``.

    Returns how many runs; 0 also where all were looked at today.
    """
    today = now_ms // DAY_MS
    after = meta.turn(view.connection, _FACT, today)
    if after is None:
        return 0
    last = last_run_id(view.connection)
    runs = foldable(view.connection, after, after + AT_ONCE, before_ms)
    folded = len(runs) if runs and _fold(view, runs) else 0
    if folded:
        log.info("charges folded into daily sums runs=%d", folded)
    meta.set_turn(view.connection, _FACT, today, None if after + AT_ONCE >= last else after + AT_ONCE)
    return folded


def _fold(view: View, runs: Sequence[Foldable]) -> bool:
    """Fold the charges of runs; False where that would take as many rows."""
    rates = view.interner.rates.values(view.connection, {each.rate_id for run in runs for each in run.charges})
    zones = {"UTC"} | {budget.timezone for budget in view.budgets.values()}
    sums: Counter[Sum] = Counter()
    for run in runs:
        for charge in run.charges:
            rate = rates[charge.rate_id]
            if charge.cost_nanos:
                folded = _rate(rate.meter, rate)
                for cell, nanos in parts(charge, rate, zones):
                    sums[run.source_id, charge.tag_set_id, folded, cell] += nanos
    some = {key: nanos for key, nanos in sums.items() if nanos}
    if len(some) + len({key[:2] for key in some}) >= sum(len(run.charges) for run in runs):
        return False
    take_out(view.connection, runs)
    ledger.add_charges(view.connection, _charges(view.connection, view.interner, some))
    return True


def parts(charge: Charge, rate: Rate, zones: Collection[str]) -> Iterator[tuple[Cell, int]]:
    """Yield what a charge costs in each cell that it touches: differences of its cumulative cost, as in totals."""
    whole = (charge.start_ms, charge.end_ms)
    cuts = {midnight for zone in zones for _, midnight in day_edges(zone, *whole)[:-1]}
    before = 0
    for since, until in pairwise(sorted({*whole, *cuts})):
        at = charge.cost_nanos if until == charge.end_ms else cost_to(rate, charge.quantity, whole, until)
        yield _cell(since, zones), at - before
        before = at


def _cell(at_ms: int, zones: Collection[str]) -> Cell:
    days = [(zone, day_of(zone, at_ms)) for zone in zones]
    return max(midnight_ms(*each) for each in days), min(midnight_ms(zone, day + 1) for zone, day in days)


def _rate(meter: Meter, rate: Rate) -> Rate:
    note = "" if rate.confidence is not Confidence.LOW else "something was assumed of some runs"
    return Rate(meter, "1", "1", TOTAL, rate.currency, FOLDED, confidence=rate.confidence, note=note)


def _charges(connection: Connection, interner: Interner, sums: Mapping[Sum, int]) -> list[Charge]:
    carriers = _carriers(connection, interner, {key[:2] for key in sums})
    rate_ids = interner.rates.ids(connection, {key[2] for key in sums})
    revisions = dict(last_revisions(connection, sorted(carriers.values())))
    charges = []
    for (source_id, tag_set_id, rate, (start, end)), nanos in sorted(sums.items(), key=lambda each: each[0][3]):
        run_id, meter = carriers[source_id, tag_set_id], METER_CODES[rate.meter]
        revision = revisions[run_id, meter, start] = revisions.get((run_id, meter, start), -1) + 1
        charges.append(Charge(run_id, meter, start, revision, end, tag_set_id, rate_ids[rate], nanos, nanos))
    return charges


def _carriers(
    connection: Connection, interner: Interner, wanted: Collection[tuple[int, int]]
) -> dict[tuple[int, int], int]:
    """Return the rows that carry the sums of (source id, tag set id), made where there is none yet."""
    tags = interner.tag_sets.values(connection, {tag_set_id for _, tag_set_id in wanted})
    (usage_id,) = interner.usage_sets.ids(connection, {()}).values()
    found: dict[tuple[int, int], int] = {}
    for source_id in sorted({each for each, _ in wanted}):
        names = {carrier_id(FOLDED, "", tags[each]): each for source, each in sorted(wanted) if source == source_id}
        known = run_rows.stored_runs(connection, source_id, list(names))
        fresh = [name for name in names if name not in known]
        ids = {name: row.id for name, row in known.items()}
        ids |= {name: row_id for row_id, name in enumerate(fresh, run_rows.next_run_id(connection))}
        rows = [
            (ids[name], name, dict(tags[names[name]]).get("experiment_id", ""), NAME, 0, names[name], usage_id)
            for name in fresh
        ]
        add_carriers(connection, source_id, FOLDED, rows)
        found |= {(source_id, tag_set_id): ids[name] for name, tag_set_id in names.items()}
    return found
