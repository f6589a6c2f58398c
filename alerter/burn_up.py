"""What a scope has spent by the end of each day of its period: the line of its chart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from alerter.core.chart import MOST_POINTS
from alerter.core.periods import Period, day_of, midnight_ms
from alerter.spending import Accruing, by_budget
from alerter.store.bulk import select_in
from alerter.store.totals import Share, View

ScopeKey = tuple[int, int]
"""(budget id, scope id)."""

Points = tuple[tuple[int, int], ...]
"""(local day as an ordinal, nanos spent by its end), oldest first, at most about `MOST_POINTS`."""

_DAYS = (
    "SELECT scope_id, local_day, nanos FROM daily WHERE budget_id = ? AND local_day BETWEEN ? AND ? "
    "AND scope_id IN {values} ORDER BY local_day"
)


def burn_ups(
    view: View, scopes: Iterable[tuple[ScopeKey, Period]], runs: Sequence[Accruing], now_ms: int
) -> list[Points]:
    """Return the days of some scopes, each in a period up to today, in their order; ``runs`` are those that accrue."""
    wanted = list(scopes)
    accruing: dict[ScopeKey, list[tuple[Accruing, Share]]] = defaultdict(list)
    for budget_id, counted in by_budget(view, runs).items():
        for run, share in counted:
            accruing[budget_id, share.scope_id].append((run, share))
    settled = _settled(view, wanted)
    return [
        _points(view.budgets[key[0]].timezone, period, settled.get(key, ()), accruing.get(key, ()), now_ms)
        for key, period in wanted
    ]


def _settled(view: View, wanted: Iterable[tuple[ScopeKey, Period]]) -> dict[ScopeKey, list[tuple[int, int]]]:
    """Return ``(local day, nanos)`` of each scope; with days outside its period, where another's holds them."""
    by_id: dict[int, list[tuple[int, Period]]] = defaultdict(list)
    for (budget_id, scope_id), period in wanted:
        by_id[budget_id].append((scope_id, period))
    found: dict[ScopeKey, list[tuple[int, int]]] = defaultdict(list)
    for budget_id, members in by_id.items():
        first = min(period.start.toordinal() for _, period in members)
        end = max(period.end.toordinal() for _, period in members)
        ids = sorted({scope_id for scope_id, _ in members})
        for scope_id, day, nanos in select_in(view.connection, _DAYS, ids, budget_id, first, end - 1):
            found[budget_id, scope_id].append((day, int(nanos)))
    return found


def _points(
    zone: str,
    period: Period,
    settled: Iterable[tuple[int, int]],
    runs: Collection[tuple[Accruing, Share]],
    now_ms: int,
) -> Points:
    first, last = period.start.toordinal(), min(period.end.toordinal() - 1, day_of(zone, now_ms))
    if last < first:
        return ()
    step = -(-(last - first + 1) // MOST_POINTS)
    days = sorted(range(last, first - 1, -step))
    spent = dict.fromkeys(days, 0)
    for day, nanos in settled:
        if first <= day <= last:  # counted for the first chosen day that includes it, and added up below
            spent[last - (last - day) // step * step] += nanos
    total, points = 0, []
    start_ms = midnight_ms(zone, first)
    edges = {day: midnight_ms(zone, day + 1) for day in days} if runs else {}
    accruing = dict.fromkeys(days, 0)
    for run, share in runs:
        for day, end_ms in edges.items():
            if run.start_ms < end_ms:
                accruing[day] += run.nanos(start_ms, end_ms, share)
    for day in days:
        total += spent[day]
        points.append((day, total + accruing[day]))
    return tuple(points)
