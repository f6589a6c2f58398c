"""What each scope spent on machines, on storage and on tokens in its period, and which tokens have no price."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from alerter.core.charges import Confidence, Rate
from alerter.core.usage import COMPONENTS, NOT_RUNS, Meter
from alerter.spending import Accruing
from alerter.store.audit import charges_over_edges, sum_gaps, sums_within
from alerter.store.ledger import METER_CODES, METERS, part_of
from alerter.store.totals import View

MACHINES = "machines"
OTHERS = tuple(each for each in COMPONENTS if each != MACHINES)
_COMPONENT = {meter: name for name, meters in COMPONENTS.items() for meter in meters}
_CODES = sorted(METER_CODES[each] for each in NOT_RUNS)

Window = tuple[int, int]
"""``[start, end)`` in epoch ms."""

Spent = dict[tuple[int, int], Counter[str]]
"""Nanos by component, by (budget id, scope id)."""


def spent_beside_machines(view: View, windows: Mapping[int, Window], runs: Sequence[Accruing]) -> Spent:
    """Return what each scope spent on all but machines in its budget's period; ``windows`` are by budget id.

    What is left of its spending is machines. ``runs`` are what accrues.
    """
    found: Spent = defaultdict(Counter)
    rates = view.all_rates()
    if not any(rate.meter in NOT_RUNS for rate in rates.values()):
        return found
    for window in set(windows.values()):
        sums = _within(view, window, rates)
        shares = view.shares({tag_set_id for tag_set_id, _ in sums})
        for (tag_set_id, meter), nanos in sums.items():
            for share in shares[tag_set_id]:
                if windows.get(share.budget_id) == window and share.counts(meter):
                    found[share.budget_id, share.scope_id][_COMPONENT[meter]] += nanos
    shares = view.shares({run.tag_set_id for run in runs})
    for run in (each for each in runs if not each.is_run):
        for share in filter(run.counts, shares[run.tag_set_id]):
            if share.budget_id in windows:
                nanos = run.nanos(*windows[share.budget_id], share)
                found[share.budget_id, share.scope_id][_COMPONENT[run.lines[0][0].meter]] += nanos
    return found


def tokens_without_price(view: View, windows: Mapping[int, Window]) -> dict[tuple[int, int], int]:
    """Return how many tokens of each scope have no price in its budget's period; ``windows`` are by budget id.

    They are charged by the quarter of an hour, so that none lies over the edge of a period.
    """
    found: Counter[tuple[int, int]] = Counter()
    if not any(rate.meter is Meter.TOKENS and rate.confidence is Confidence.GAP for rate in view.all_rates().values()):
        return found
    for window in set(windows.values()):
        used = Counter[int]()
        for tag_set_id, tokens in sum_gaps(view.connection, window, METER_CODES[Meter.TOKENS]):
            used[tag_set_id] += tokens
        shares = view.shares(used)
        for tag_set_id, tokens in used.items():
            for share in shares[tag_set_id]:
                if windows.get(share.budget_id) == window and share.counts(Meter.TOKENS):
                    found[share.budget_id, share.scope_id] += tokens
    return found


def _within(view: View, window: Window, rates: Mapping[int, Rate]) -> Counter[tuple[int, Meter]]:
    """Return the nanos of charges within a window by (tag set id, meter): in sums, but for those over its edges."""
    start_ms, end_ms = window
    found: Counter[tuple[int, Meter]] = Counter()
    for tag_set_id, meter, nanos in sums_within(view.connection, start_ms, end_ms, _CODES):
        found[tag_set_id, METERS[meter]] += nanos
    for charge in charges_over_edges(view.connection, start_ms, end_ms, _CODES):
        part = max(charge.start_ms, start_ms), min(charge.end_ms, end_ms)
        found[charge.tag_set_id, METERS[charge.meter]] += part_of(charge, rates[charge.rate_id], *part)
    return found
