"""What a scope has spent by the end of each day of its period: the line of its chart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from alerter.core.chart import MOST_POINTS
from alerter.core.periods import Period, day_of, midnight_ms
from alerter.spending import Accruing, by_budget
from alerter.store.bulk import query
from alerter.store.totals import Share, View

ScopeKey = tuple[int, int]
"""(budget id, scope id)."""

Points = tuple[tuple[int, int], ...]
"""(local day as an ordinal, nanos spent by its end), oldest first, at most about `MOST_POINTS`."""

_DAYS = (
    "SELECT local_day, nanos FROM daily WHERE budget_id = ? AND scope_id = ? AND local_day BETWEEN ? AND ? "
    "ORDER BY local_day"
)


def burn_ups(
    view: View, scopes: Iterable[tuple[ScopeKey, Period]], runs: Sequence[Accruing], now_ms: int
) -> list[Points]:
    """Return the days of some scopes, each in a period up to today, in their order; ``runs`` are those that accrue."""
    counted = by_budget(view, runs)
    found = []
    for key, period in scopes:
        mine = [(run, share) for run, share in counted.get(key[0], ()) if share.scope_id == key[1]]
        found.append(_points(view, key, period, mine, now_ms))
    return found


def _points(view: View, key: ScopeKey, period: Period, runs: Iterable[tuple[Accruing, Share]], now_ms: int) -> Points:
    zone = view.budgets[key[0]].timezone
    first, last = period.start.toordinal(), min(period.end.toordinal() - 1, day_of(zone, now_ms))
    if last < first:
        return ()
    step = -(-(last - first + 1) // MOST_POINTS)
    days = sorted(range(last, first - 1, -step))
    spent = dict.fromkeys(days, 0)
    for day, nanos in query(view.connection, _DAYS, *key, first, last):
        # Counted for the first chosen day that includes it, and added up below.
        spent[last - (last - day) // step * step] += int(nanos)
    total, points = 0, []
    start_ms = midnight_ms(zone, first)
    edges = {day: midnight_ms(zone, day + 1) for day in days}
    accruing = dict.fromkeys(days, 0)
    for run, share in runs:
        for day, end_ms in edges.items():
            if run.start_ms < end_ms:
                accruing[day] += run.nanos(start_ms, end_ms, share)
    for day in days:
        total += spent[day]
        points.append((day, total + accruing[day]))
    return tuple(points)
