"""New runs that have ended and concern no other run: nearly all of a first sync, straight to their charges.

There is nothing to look up, to correct or to share, so they come in a few steps to what all others come to in many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

from sqlalchemy import Connection

from alerter.core.charges import pace
from alerter.core.metering import is_told_whole
from alerter.core.money import div_half_even
from alerter.core.usage import Pairs, RunObservation
from alerter.pricer import Pricer, Tariff, Template
from alerter.recording.entries import check_cost
from alerter.store import ledger, run_rows
from alerter.store.interning import Interner
from alerter.store.ledger import METER_CODES, ChargeValues
from alerter.store.run_rows import LoneValues, StoredRun


@dataclass(slots=True, eq=False)
class Kind:
    """What runs of the same tags and usage have in common; ``tariff`` is None where they may share a machine."""

    tags: Pairs
    usage: Pairs
    tariff: Tariff | None
    tag_set_id: int = 0
    usage_set_id: int = 0

    def costs(self, start_ms: int, end_ms: int) -> Template | None:
        """Return what such a run's machine costs throughout ``[start, end)``; None where that must be looked into."""
        return None if self.tariff is None else self.tariff.over(start_ms, end_ms)


Newcomer = tuple[RunObservation, Kind, Template]
"""A run on its way, what it has in common with others, and what its machine costs throughout."""


class _Part(NamedTuple):
    """What a charge of a template's line is made of; the second one of a meter is its second revision."""

    meter: int
    revision: int
    rate_id: int
    quantity: int
    numerator: int
    denominator: int


class Newcomers:
    """Finds such runs, and writes them into one ledger."""

    def __init__(self, interner: Interner, pricer: Pricer) -> None:
        self._interner = interner
        self._pricer = pricer

    def part(
        self,
        connection: Connection,
        source_id: int,
        runs: Sequence[RunObservation],
        known: Mapping[str, StoredRun],
        now_ms: int,
    ) -> tuple[list[Newcomer], list[RunObservation]]:
        """Return the newcomers among some runs, and the others; ``known`` are those that the ledger has."""
        new = [run.run_uuid for run in runs if run.run_uuid not in known]
        concerned = {row.parent_uuid for row in run_rows.nested_in(connection, source_id, new)}
        concerned.update({run.parent_uuid for run in runs}, known)
        kinds: dict[tuple[int, int], Kind] = {}
        newcomers, others = [], []
        for run in runs:
            if run.run_uuid not in concerned and _is_alone(run) and is_told_whole(run, now_ms):
                # Most runs hold the same objects, and these are long to hash.
                kind = kinds.get((id(run.tags), id(run.usage))) or self._kind(run, kinds)
                template = kind.costs(run.start_ms, run.end_ms or 0)
                if template is not None:
                    newcomers.append((run, kind, template))
                    continue
            others.append(run)
        return newcomers, others

    def _kind(self, run: RunObservation, kinds: dict[tuple[int, int], Kind]) -> Kind:
        shares = self._pricer.resources(run.usage).resource_id is not None
        kind = Kind(run.tags, run.usage, None if shares else self._pricer.tariff(run.usage, run.tags))
        kinds[id(run.tags), id(run.usage)] = kind
        return kind

    def write(
        self, connection: Connection, source_id: int, newcomers: Sequence[Newcomer]
    ) -> tuple[range, list[ChargeValues]]:
        """Write runs and their charges; return the ledger's ids of them, and the charges."""
        self._identify(connection, set(map(itemgetter(1), newcomers)))
        parts = self._parts(connection, set(map(itemgetter(2), newcomers)))
        first = run_rows.next_run_id(connection)
        rows: list[LoneValues] = []
        charges: list[ChargeValues] = []
        for run_id, (run, kind, template) in enumerate(newcomers, first):
            rows.append(run_rows.lone_values(run, (run_id, source_id), (kind.tag_set_id, kind.usage_set_id)))
            charges += _charges(run_id, run, kind.tag_set_id, parts[template])
        run_rows.add_runs(connection, rows)
        ledger.add_charges(connection, charges)
        return range(first, first + len(newcomers)), charges

    def _identify(self, connection: Connection, kinds: Collection[Kind]) -> None:
        tag_sets = self._interner.tag_sets.ids(connection, [each.tags for each in kinds])
        usage_sets = self._interner.usage_sets.ids(connection, [each.usage for each in kinds])
        for each in kinds:
            each.tag_set_id, each.usage_set_id = tag_sets[each.tags], usage_sets[each.usage]

    def _parts(self, connection: Connection, templates: Collection[Template]) -> dict[Template, list[_Part]]:
        ids = self._interner.rates.ids(connection, {rate for each in templates for rate, _ in each.parts})
        found: dict[Template, list[_Part]] = {}
        for template in templates:
            times: Counter[int] = Counter()
            found[template] = []
            for rate, quantity in template.parts:
                meter = METER_CODES[rate.meter]
                found[template].append(_Part(meter, times[meter], ids[rate], quantity, *pace(rate, quantity)))
                times[meter] += 1
        return found


def _is_alone(run: RunObservation) -> bool:
    """Whether a run is nested in none and doesn't say itself what it costs."""
    return run.parent_uuid is None and not run.costs


def _charges(run_id: int, run: RunObservation, tag_set_id: int, parts: Iterable[_Part]) -> list[ChargeValues]:
    start, end = run.start_ms, run.end_ms or run.start_ms
    charges: list[ChargeValues] = []
    total = 0
    for meter, revision, rate_id, quantity, numerator, denominator in parts:
        cost = div_half_even(numerator * (end - start), denominator)
        charges.append((run_id, meter, start, revision, end, tag_set_id, rate_id, quantity, cost, None))
        total += cost
    check_cost(total)
    return charges
