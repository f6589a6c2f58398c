"""How much of each scope's run time in its period has no price: one that shows no cost isn't one that cost nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

from alerter.core.charges import Confidence
from alerter.core.coverage import RUN_TIME
from alerter.core.usage import Meter
from alerter.coverage import Window, run_time
from alerter.evidence import ScopeKey
from alerter.spending import Accruing
from alerter.store.audit import run_lines_of, sum_run_time
from alerter.store.ledger import METER_CODES
from alerter.store.totals import View

_METERS = sorted(METER_CODES[each] for each in RUN_TIME)


def time_of_scopes(
    view: View, windows: Mapping[int, Window], runs: Sequence[Accruing], unpriced: Collection[Window]
) -> dict[ScopeKey, tuple[int, int]]:
    """Return ``(all, without a price)`` of the scopes' run time in their budgets' periods, in ms.

    ``windows`` is by budget id, ``runs`` accrue. ``unpriced`` are the windows in which a settled charge has no price.
    Where all has one nothing is read, and nothing returned: a period is walked over only if there is something to say.
    """
    found: dict[ScopeKey, tuple[int, int]] = {}
    for window in set(windows.values()):
        if window not in unpriced and not any(_has_gap(run, window) for run in runs):
            continue
        by_tags = _by_tags(view, window, runs)
        shares = view.shares(by_tags)
        for tag_set_id, times in by_tags.items():
            for share in shares[tag_set_id]:
                if windows.get(share.budget_id) == window and share.counts(Meter.MACHINE):
                    whole, gap = found.get((share.budget_id, share.scope_id), (0, 0))
                    found[share.budget_id, share.scope_id] = whole + sum(times.values()), gap + times[True]
    return found


def _by_tags(view: View, window: Window, runs: Sequence[Accruing]) -> dict[int, Counter[bool]]:
    """Return the run time by tag set, and whether it has no price."""
    found: dict[int, Counter[bool]] = defaultdict(Counter)
    sums, others = sum_run_time(view.connection, window, _METERS)
    for tag_set_id, is_gap, span_ms in sums:
        found[tag_set_id][is_gap] += span_ms
    lines = run_lines_of(view.connection, window, others, _METERS)
    for (_, tag_set_id), times in run_time(lines, window, runs).by_run():
        for level, span_ms in times.items():
            found[tag_set_id][level is Confidence.GAP] += span_ms
    return found


def _has_gap(run: Accruing, window: Window) -> bool:
    return (run.start_ms < window[1] and run.as_of_ms > window[0]) and any(
        rate.confidence is Confidence.GAP and rate.meter in RUN_TIME for rate, _ in run.lines
    )
