"""How much of each scope's run time in its period has no price: one that shows no cost isn't one that cost nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from alerter.core.charges import Confidence
from alerter.core.coverage import RUN_TIME, add_up
from alerter.core.usage import Meter
from alerter.coverage import Window, run_time
from alerter.evidence import ScopeKey
from alerter.spending import Accruing
from alerter.store.totals import View

Times = Mapping[Confidence, int]
"""Run time in ms by how far it could be priced."""


def time_of_scopes(
    view: View, windows: Mapping[int, Window], runs: Sequence[Accruing], unpriced: Collection[Window]
) -> dict[ScopeKey, Times]:
    """Return the run time of the scopes in their budgets' periods; ``windows`` is by budget id, ``runs`` accrue.

    ``unpriced`` are the windows in which a settled charge has no price. Where all has one nothing is read, and nothing
    returned.
    """
    found: dict[ScopeKey, list[Times]] = defaultdict(list)
    for window in set(windows.values()):
        if window not in unpriced and not any(_has_gap(run, window) for run in runs):
            continue
        by_tags: dict[int, list[Times]] = defaultdict(list)
        for (_, tag_set_id), times in run_time(view, window, runs).by_run():
            by_tags[tag_set_id].append(times)
        shares = view.shares(by_tags)
        for tag_set_id, each in by_tags.items():
            times = add_up(each)
            for share in shares[tag_set_id]:
                if windows.get(share.budget_id) == window and share.counts(Meter.MACHINE):
                    found[share.budget_id, share.scope_id].append(times)
    return {key: add_up(times) for key, times in found.items()}


def _has_gap(run: Accruing, window: Window) -> bool:
    return (run.start_ms < window[1] and run.as_of_ms > window[0]) and any(
        rate.confidence is Confidence.GAP and rate.meter in RUN_TIME for rate, _ in run.lines
    )
