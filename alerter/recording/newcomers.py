"""New runs that have ended and concern no other run: nearly all of a first sync, straight to their charges.

There is nothing to look up, to correct or to share, so they come in a few steps to what all others come to in many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from alerter.core.charges import pace
from alerter.core.metering import is_told_whole
from alerter.core.money import div_half_even
from alerter.core.usage import Pairs, RunObservation
from alerter.pricer import Pricer, Template
from alerter.recording.entries import check_cost
from alerter.store import ledger
from alerter.store.interning import Interner, PairSets
from alerter.store.ledger import METER_CODES, Charge, StoredRun

Told = tuple[RunObservation, int]
"""A run as a poll saw it, and its digest."""


class Newcomer(NamedTuple):
    """A run on its way, and what its machine costs throughout."""

    run: RunObservation
    digest: int
    template: Template


class _Part(NamedTuple):
    """What a charge of a template's line is made of; the second one of a meter is its second revision."""

    meter: int
    revision: int
    rate_id: int
    quantity: int
    pace: tuple[int, int]


class Newcomers:
    """Finds such runs, and writes them into one ledger."""

    def __init__(self, interner: Interner, pricer: Pricer) -> None:
        self._interner = interner
        self._pricer = pricer

    def part(
        self,
        connection: Connection,
        source_id: int,
        runs: Sequence[Told],
        known: Mapping[str, StoredRun],
        now_ms: int,
    ) -> tuple[list[Newcomer], list[Told]]:
        """Return the newcomers among some runs, and the others; ``known`` are those that the ledger has."""
        new = [run.run_uuid for run, _ in runs if run.run_uuid not in known]
        concerned = {row.parent_uuid for row in ledger.nested_in(connection, source_id, new)}
        concerned.update([run.parent_uuid for run, _ in runs], known)
        newcomers, others = [], []
        for run, digest in runs:
            template = None if run.run_uuid in concerned else self._template(run, now_ms)
            if template is None:
                others.append((run, digest))
            else:
                newcomers.append(Newcomer(run, digest, template))
        return newcomers, others

    def _template(self, run: RunObservation, now_ms: int) -> Template | None:
        """Return what a new run's machine costs; None where it is no newcomer."""
        if run.parent_uuid is not None or run.costs or run.end_ms is None or not is_told_whole(run, now_ms):
            return None
        if self._pricer.resources(run.usage).resource_id is not None:
            return None
        return self._pricer.template(run.usage, run.tags, run.start_ms, run.end_ms)

    def write(
        self, connection: Connection, source_id: int, newcomers: Sequence[Newcomer]
    ) -> tuple[range, list[Charge]]:
        """Write runs and their charges; return the ledger's ids of them, and the charges."""
        tag_ids = _ids(connection, self._interner.tag_sets, [each.run.tags for each in newcomers])
        usage_ids = _ids(connection, self._interner.usage_sets, [each.run.usage for each in newcomers])
        parts = self._parts(connection, {each.template for each in newcomers})
        first = ledger.next_run_id(connection)
        rows, charges = [], []
        for run_id, (run, digest, template) in enumerate(newcomers, first):
            tag_set_id = tag_ids[id(run.tags)]
            rows.append(ledger.run_values(run, (run_id, source_id), (tag_set_id, usage_ids[id(run.usage)], digest)))
            charges += _charges(run_id, run, tag_set_id, parts[template])
        ledger.add_runs(connection, rows)
        ledger.add_charges(connection, charges)
        return range(first, first + len(newcomers)), charges

    def _parts(self, connection: Connection, templates: Iterable[Template]) -> dict[Template, list[_Part]]:
        ids = self._interner.rates.ids(connection, {rate for each in templates for rate, _ in each.parts})
        found: dict[Template, list[_Part]] = {}
        for template in templates:
            times: Counter[int] = Counter()
            found[template] = []
            for rate, quantity in template.parts:
                meter = METER_CODES[rate.meter]
                found[template].append(_Part(meter, times[meter], ids[rate], quantity, pace(rate, quantity)))
                times[meter] += 1
        return found


def _ids(connection: Connection, table: PairSets, values: Sequence[Pairs]) -> dict[int, int]:
    """Return the ledger's ids of sets by their identity: most runs hold the same object, and a set is long to hash."""
    distinct = {id(value): value for value in values}
    found = table.ids(connection, distinct.values())
    return {identity: found[value] for identity, value in distinct.items()}


def _charges(run_id: int, run: RunObservation, tag_set_id: int, parts: Iterable[_Part]) -> list[Charge]:
    start, end = run.start_ms, run.end_ms or run.start_ms
    charges, total = [], 0
    for meter, revision, rate_id, quantity, (numerator, denominator) in parts:
        cost = div_half_even(numerator * (end - start), denominator)
        charges.append(Charge(run_id, meter, start, revision, end, tag_set_id, rate_id, quantity, cost))
        total += cost
    check_cost(total)
    return charges
