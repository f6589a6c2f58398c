"""The runs behind a number: who spent how much in a scope's period, and how much of it had a price."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from heapq import nlargest

from sqlalchemy import Connection

from alerter.core.charges import Confidence, Rate
from alerter.core.coverage import RUN_TIME, RunTime
from alerter.core.periods import DAY_MS, day_of
from alerter.core.price_age import is_old
from alerter.core.usage import NOT_RUNS, Meter
from alerter.spending import Accruing
from alerter.store.bulk import query, select_in
from alerter.store.ledger import METER_CODES, METERS, Charge, charges_within, part_of
from alerter.store.totals import Share, View

ScopeKey = tuple[int, int]
"""(budget id, scope id)."""

Window = tuple[int, int]
"""``[start, end)`` in epoch ms."""


@dataclass(slots=True)
class RunShare:
    """What one run cost in a scope's period, in nanos; ``per_hour`` is its burn now, ``stale`` is not counted.

    ``logged`` counts the lines at a total that the run logged itself, less those that are reversed.
    """

    run_id: int
    cost: int = 0
    recent: int = 0
    per_hour: int = 0
    running: bool = False
    priced: bool = True
    stale: int = 0
    logged: int = 0


@dataclass(slots=True)
class Evidence:
    """A scope's runs, and its run time by how far it could be priced; an hour of a run counts once."""

    runs: dict[int, RunShare] = field(default_factory=dict)
    time: RunTime[int] = field(default_factory=RunTime)
    notes: set[str] = field(default_factory=set)
    oldest: str = ""

    def run(self, run_id: int) -> RunShare:
        """Return a run's share, made if it is new."""
        return self.runs.setdefault(run_id, RunShare(run_id))

    def top(self, limit: int) -> list[RunShare]:
        """Return the most expensive runs."""
        return nlargest(limit, self.runs.values(), key=lambda each: (each.cost, each.per_hour))

    @property
    def recent(self) -> int:
        """What was spent in the last 24 hours, in nanos."""
        return sum(each.recent for each in self.runs.values())

    @property
    def stale(self) -> int:
        """What runs that are suspected stale would have cost since their last signs of life, in nanos."""
        return sum(each.stale for each in self.runs.values())

    def priced_percent(self) -> int:
        """Return how much of the run time had a price, in whole percent rounded down; 100 where there was none."""
        times = self.time.total()
        whole = sum(times.values())
        return (whole - times[Confidence.GAP]) * 100 // whole if whole else 100

    def is_low(self) -> bool:
        """Whether some of the run time was priced by an assumption."""
        return self.time.total()[Confidence.LOW] > 0

    def note(self) -> str:
        """Return what was assumed, at most two things; that prices are out of date comes first."""
        old = [f"prices of {self.oldest}"] if self.oldest else []
        notes = {part for note in self.notes for part in note.split("; ")}
        return "; ".join([*old, *sorted(notes)][:2])


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the ledger knows of a run, for people."""

    run_uuid: str
    name: str
    experiment_id: str
    source: str
    usage_set_id: int
    tag_set_id: int
    user: str


def collect(
    view: View,
    windows: Mapping[ScopeKey, Window],
    runs: Sequence[Accruing],
    now_ms: int,
) -> dict[ScopeKey, Evidence]:
    """Return the evidence for some scopes, each in its own period, in one pass over the charges."""
    found = {key: Evidence() for key in windows}
    if not windows:
        return found
    first = min(start for start, _ in windows.values())
    last = max(end for _, end in windows.values())
    rates, shares = view.all_rates(), view.all_shares()
    for charge in charges_within(view.connection, first, last):
        for share in _wanted(shares[charge.tag_set_id], windows, METERS[charge.meter]):
            key = (share.budget_id, share.scope_id)
            _add_charge(found[key], charge, rates[charge.rate_id], windows[key], now_ms)
    for run in runs:
        for share in filter(run.counts, _wanted(shares[run.tag_set_id], windows)):
            key = (share.budget_id, share.scope_id)
            _add_running(found[key], run, windows[key], now_ms, share)
    return found


def run_facts(connection: Connection, run_ids: Iterable[int]) -> dict[int, RunFacts]:
    """Return what is known of runs, by the ledger's ids."""
    sql = (
        'SELECT r.id, r.run_uuid, r.name, r.experiment_id, s.name, r.usage_set_id, r.tag_set_id, r."user" '
        "FROM run r JOIN source s ON s.id = r.source_id WHERE r.id IN {values}"
    )
    return {row[0]: RunFacts(*row[1:]) for row in select_in(connection, sql, list(run_ids))}


_STANDING_RUNS = (
    "SELECT run_id, tag_set_id FROM charge WHERE end_ms > ? AND start_ms < ? AND meter NOT IN (?, ?) "
    "GROUP BY run_id, tag_set_id HAVING SUM(CASE WHEN quantity > 0 THEN 1 ELSE -1 END) > 0"
)


def run_counts(
    view: View,
    windows: Mapping[int, Window],
    runs: Sequence[Accruing],
) -> dict[ScopeKey, int]:
    """Return how many runs each scope had in its budget's period; ``windows`` is by budget id.

    None had a budget of which ``components`` are only storage or tokens.
    """
    found: dict[ScopeKey, set[int]] = defaultdict(set)
    shares = view.all_shares()
    no_runs = sorted(METER_CODES[each] for each in NOT_RUNS)
    for start, end in set(windows.values()):
        for run_id, tag_set_id in query(view.connection, _STANDING_RUNS, start, end, *no_runs):
            for share in shares[tag_set_id]:
                if windows.get(share.budget_id) == (start, end) and share.counts(Meter.MACHINE):
                    found[share.budget_id, share.scope_id].add(run_id)
    for run in (each for each in runs if each.is_run):
        for share in shares[run.tag_set_id]:
            window = windows.get(share.budget_id)
            if window and share.counts(Meter.MACHINE) and run.start_ms < window[1] and run.as_of_ms >= window[0]:
                found[share.budget_id, share.scope_id].add(run.run_id)
    return {key: len(ids) for key, ids in found.items()}


def _wanted(shares: Iterable[Share], windows: Mapping[ScopeKey, Window], meter: Meter | None = None) -> Iterable[Share]:
    for share in shares:
        if (share.budget_id, share.scope_id) in windows and (meter is None or share.counts(meter)):
            yield share


def _add_charge(found: Evidence, charge: Charge, rate: Rate, window: Window, now_ms: int) -> None:
    start, end = max(charge.start_ms, window[0]), min(charge.end_ms, window[1])
    if start >= end:
        return
    run = found.run(charge.run_id)
    run.cost += part_of(charge, rate, start, end)
    since = max(start, now_ms - DAY_MS)
    if since < end:
        run.recent += part_of(charge, rate, since, end)
    sign = 1 if charge.quantity > 0 else -1
    run.logged += sign * (rate.meter is Meter.LOGGED)
    _add_time(found, run, rate, (start, end), sign)
    _add_age(found, rate, now_ms)


def _add_running(found: Evidence, running: Accruing, window: Window, now_ms: int, share: Share) -> None:
    start, end = max(running.start_ms, window[0]), min(running.as_of_ms, window[1])
    run = found.run(running.run_id)
    run.running = True
    run.per_hour += running.per_hour(share)
    run.cost += running.nanos(window[0], window[1], share)
    run.stale += running.stale_nanos(window[0], window[1], share)
    run.recent += running.nanos(max(window[0], now_ms - DAY_MS), window[1], share)
    for rate, _ in running.lines:
        run.logged += rate.meter is Meter.LOGGED
        _add_time(found, run, rate, (start, end))
        _add_age(found, rate, now_ms)


def _add_age(found: Evidence, rate: Rate, now_ms: int) -> None:
    if rate.as_of and is_old(rate, date.fromordinal(day_of("UTC", now_ms))):
        found.oldest = min(found.oldest or rate.as_of, rate.as_of)


def _add_time(found: Evidence, run: RunShare, rate: Rate, held: Window, sign: int = 1) -> None:
    if rate.meter in RUN_TIME:
        found.time.add(run.run_id, *held, rate.confidence, sign)
    if rate.confidence is Confidence.GAP:
        run.priced = False
    if rate.note and sign > 0 and held[0] < held[1] and rate.confidence is not Confidence.GAP:
        found.notes.add(rate.note)
