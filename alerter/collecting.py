"""Gather the evidence of scopes: one walk over the charges of their periods, run by run, of which sums are kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from alerter.core.charges import Confidence, Rate
from alerter.core.coverage import RUN_TIME, Span, time_of
from alerter.core.periods import DAY_MS
from alerter.core.usage import Meter
from alerter.evidence import Evidence, RunShare, ScopeKey, Window
from alerter.spending import Accruing
from alerter.store.audit import charges_in, sorts_in
from alerter.store.blocks import places
from alerter.store.ledger import METERS, Charge, history, part_of
from alerter.store.totals import Share, View


def collect(
    view: View,
    windows: Mapping[ScopeKey, Window],
    runs: Sequence[Accruing],
    now_ms: int,
    *,
    keep: int | None = None,
) -> dict[ScopeKey, Evidence]:
    """Return the evidence for some scopes, each in its own period; ``runs`` are those that accrue.

    It takes as long as there are charges in the periods, and as much memory as runs are kept: ``keep`` of each scope.
    """
    found = {key: Evidence(keep) for key in windows}
    if not windows:
        return found
    first, last = min(start for start, _ in windows.values()), max(end for _, end in windows.values())
    where = places(view.connection, first, last)
    sorts = sorts_in(view.connection, where)
    gathering = _Gathering(view, windows, now_ms - DAY_MS, {rate_id for _, rate_id in sorts})
    tag_set_ids = gathering.concerned({tag_set_id for tag_set_id, _ in sorts} | {run.tag_set_id for run in runs})
    accruing: dict[int, list[Accruing]] = defaultdict(list)
    for run in runs:
        accruing[run.run_id].append(run)
    for run_id, charges in groupby(charges_in(view.connection, where, tag_set_ids), key=lambda each: each.run_id):
        gathering.add(found, run_id, [*charges], accruing.pop(run_id, ()))
    for run_id, opened in accruing.items():
        gathering.add(found, run_id, (), opened)
    return found


@dataclass(slots=True)
class _Part:
    """One run in one scope's period; ``lines`` are its run time."""

    run: RunShare
    lines: list[Span] = field(default_factory=list)


class _Gathering:
    """Adds runs to the evidence of the scopes that count them."""

    def __init__(
        self, view: View, windows: Mapping[ScopeKey, Window], day_ago_ms: int, rate_ids: Iterable[int]
    ) -> None:
        self._view = view
        self._windows = windows
        self._day_ago_ms = day_ago_ms
        self._rates = view.interner.rates.values(view.connection, rate_ids)
        self._noted: set[tuple[ScopeKey, int]] = set()
        self._wanted: dict[int, list[tuple[ScopeKey, Window, Share]]] = {}

    def concerned(self, tag_set_ids: Iterable[int]) -> list[int]:
        """Return the tag sets that count for any of the scopes; only they may come."""
        for tag_set_id, shares in self._view.shares(tag_set_ids).items():
            keyed = [((each.budget_id, each.scope_id), each) for each in shares]
            wanted = [(key, self._windows[key], each) for key, each in keyed if key in self._windows]
            if wanted:
                self._wanted[tag_set_id] = wanted
        return sorted(self._wanted)

    def add(
        self,
        found: Mapping[ScopeKey, Evidence],
        run_id: int,
        charges: Sequence[Charge],
        accruing: Iterable[Accruing],
    ) -> None:
        """Add one run, with what it was charged for and what it accrues: what stands of it in each scope."""
        parts: dict[ScopeKey, _Part] = {}
        if len(charges) > 1 and any(each.quantity < 0 for each in charges):
            charges = history(charges).standing
        for charge in charges:
            rate, meter = self._rates[charge.rate_id], METERS[charge.meter]
            for key, window, share in self._wanted[charge.tag_set_id]:
                if share.counts(meter) and charge.start_ms < window[1] and charge.end_ms > window[0]:
                    self._add_charge(parts.setdefault(key, _Part(RunShare(run_id))), charge, rate, window)
                    if (key, charge.rate_id) not in self._noted:  # a rate takes longer to hash
                        self._noted.add((key, charge.rate_id))
                        found[key].rates.add(rate)
        for running in accruing:
            for key, window, share in self._wanted.get(running.tag_set_id, ()):
                until = max(running.as_of_ms, running.known_ms)
                if running.counts(share) and running.start_ms < window[1] and until >= window[0]:
                    self._add_running(parts.setdefault(key, _Part(RunShare(run_id))), running, window, share)
                    found[key].rates.update(rate for rate, _ in running.lines)
        for key, part in parts.items():
            found[key].add(part.run, time_of(part.lines))

    def _add_charge(self, part: _Part, charge: Charge, rate: Rate, window: Window) -> None:
        start, end = max(charge.start_ms, window[0]), min(charge.end_ms, window[1])
        whole = start == charge.start_ms and end == charge.end_ms
        part.run.cost += charge.cost_nanos if whole else part_of(charge, rate, start, end)
        since = max(start, self._day_ago_ms)
        if since < end:
            part.run.recent += part_of(charge, rate, since, end)
        part.run.logged += rate.meter is Meter.LOGGED
        if rate.meter is Meter.TOKENS and rate.confidence is Confidence.GAP:
            part.run.unpriced_tokens += charge.quantity
        if rate.meter in RUN_TIME:
            part.lines.append((start, end, rate.confidence))

    def _add_running(self, part: _Part, running: Accruing, window: Window, share: Share) -> None:
        start, end = max(running.start_ms, window[0]), min(running.as_of_ms, window[1])
        run = part.run
        run.running = True
        run.per_hour += running.per_hour(share)
        run.cost += running.nanos(*window, share)
        run.stale += running.stale_nanos(*window, share)
        run.recent += running.nanos(max(window[0], self._day_ago_ms), window[1], share)
        for rate, _ in running.lines:
            run.logged += rate.meter is Meter.LOGGED
            if rate.meter in RUN_TIME and start < end:
                part.lines.append((start, end, rate.confidence))
