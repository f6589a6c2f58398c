"""How many runs each scope had in its period."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from alerter.core.usage import NOT_RUNS, Meter
from alerter.evidence import ScopeKey, Window
from alerter.spending import Accruing
from alerter.store.audit import count_runs, standing_tags
from alerter.store.ledger import METER_CODES
from alerter.store.totals import View

_NO_RUNS = sorted(METER_CODES[each] for each in NOT_RUNS)


def run_counts(
    view: View, windows: Mapping[int, Window], runs: Sequence[Accruing]
) -> tuple[dict[ScopeKey, int], set[Window]]:
    """Return how many runs each scope had in its budget's period, and the windows in which one has no price.

    ``windows`` is by budget id. What accrues without a price is not looked at, what was reversed since is.

    None had a budget of which ``components`` are only storage or tokens.
    """
    found: Counter[ScopeKey] = Counter()
    unpriced = set()
    for window in set(windows.values()):
        budget_ids = {budget_id for budget_id, each in windows.items() if each == window}
        by_tags, others, gaps = count_runs(view.connection, window, _NO_RUNS)
        if gaps:
            unpriced.add(window)
        tags_of: dict[int, set[int]] = defaultdict(set)
        for run_id, tag_set_id in standing_tags(view.connection, window, others, _NO_RUNS):
            tags_of[run_id].add(tag_set_id)
        for run in (each for each in runs if each.is_run):
            if run.start_ms < window[1] and run.as_of_ms >= window[0]:
                tags_of[run.run_id].add(run.tag_set_id)
        keys = _keys(view, budget_ids, [*by_tags, *(each for tags in tags_of.values() for each in tags)])
        for tag_set_id, count in by_tags.items():
            for key in keys[tag_set_id]:
                found[key] += count
        for tags in tags_of.values():
            found.update({key for each in tags for key in keys[each]})
    return dict(found), unpriced


def _keys(view: View, budget_ids: Collection[int], tag_set_ids: Iterable[int]) -> dict[int, list[ScopeKey]]:
    """Return the scopes of some budgets that count runs of each tag set."""
    return {
        tag_set_id: [
            (share.budget_id, share.scope_id)
            for share in shares
            if share.budget_id in budget_ids and share.counts(Meter.MACHINE)
        ]
        for tag_set_id, shares in view.shares(tag_set_ids).items()
    }
