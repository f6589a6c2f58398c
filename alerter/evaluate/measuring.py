"""Where every scope of every budget stands in a period."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from alerter.core.budgets import Basis, Budget, Scope
from alerter.core.evaluation import Level, quiet_below
from alerter.core.forecast import Calm, Forecast, forecast, has_forecast
from alerter.core.periods import Period, PeriodKind, bounds_ms, day_of, period_at, period_on
from alerter.spending import Accruing, Spend, accruals, by_budget, recent_ms, settled, spending
from alerter.store.budgets import scopes
from alerter.store.totals import Share, View

Counted = Mapping[int, Sequence[tuple[Accruing, Share]]]
"""What accrues, by the row id of the budget that counts it."""

ScopeKey = tuple[int, int]
"""(budget id, scope id)."""

MOST_ENDED = 31
"""Periods of one budget that ended since they were last looked at: a month of daily ones."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One scope of one budget in one period, measured."""

    budget_id: int
    budget: Budget
    scope_id: int
    scope: Scope
    period: Period
    amount: int
    spend: Spend
    forecast: Forecast | None

    @property
    def level(self) -> Level:
        """Spending against the amount."""
        made = self.forecast
        return Level(self.amount, self.spend.spent, made.total if made else None, made.leeway if made else 0)


def standings(view: View, now_ms: int, *, only: Collection[ScopeKey] | None = None) -> list[Standing]:
    """Return where every scope of every budget stands in its current period; if ``only`` is given, where those do."""
    counted = by_budget(view, accruals(view, now_ms))
    found = []
    for budget_id, period in current_periods(view, now_ms):
        runs, some = counted.get(budget_id, ()), None
        if only is not None:
            some = {scope_id for each, scope_id in only if each == budget_id}
            runs = [each for each in runs if each[1].scope_id in some]
        found += _standings(view, budget_id, period, runs, now_ms, scope_ids=some)
    return found


def current_periods(view: View, now_ms: int) -> list[tuple[int, Period]]:
    """Return the period that each budget (by its row id) is in."""
    return [
        (budget_id, period)
        for budget_id, budget in view.budgets.items()
        if (period := period_at(budget.period, budget.timezone, now_ms)) is not None
    ]


def stirring(
    view: View,
    periods: Iterable[tuple[int, Period]],
    counted: Counted,
    known: Collection[ScopeKey],
    now_ms: int,
    *,
    again: bool = False,
) -> list[Standing]:
    """Return where scopes stand in some periods, without those that an evaluation would find nothing to do for.

    That is where something accrues (``counted``, by budget), where there are alerts (``known`` has the budget's and the
    scope's ids), and where so much is settled that a threshold may be reached. All others need two sums each.

    With ``again`` they need nothing where all were looked at before, on the same local day: of those only the ones are
    looked at that concerned an evaluation then, or whose totals have changed. Where nothing is spent, a forecast only
    sinks until the next midnight.
    """
    found: list[Standing] = []
    for budget_id, period in periods:
        runs = counted.get(budget_id, ())
        some = (_watched if again else _maybe_over)(view, budget_id, period, now_ms)
        if some is not None:
            some |= {scope_id for each, scope_id in known if each == budget_id}
            some |= {share.scope_id for _, share in runs}
        found += _standings(view, budget_id, period, runs, now_ms, scope_ids=some)
    return found


def _watched(view: View, budget_id: int, period: Period, now_ms: int) -> set[int] | None:
    """Return what `_maybe_over` does, of the scopes that have changed since it was asked for all of them."""
    zone, watch = view.budgets[budget_id].timezone, view.attribution.watch
    occasion = (period, day_of(zone, now_ms), has_forecast(*bounds_ms(period, zone), now_ms))
    some = watch.scopes(budget_id, occasion)
    if some is None and (some := _maybe_over(view, budget_id, period, now_ms)) is not None:
        watch.looked(budget_id, occasion, some)
    return some


def _maybe_over(view: View, budget_id: int, period: Period, now_ms: int) -> set[int] | None:
    """Return the scopes that reach a threshold by what is settled, or would with the least amount; None for any."""
    budget = view.budgets[budget_id]
    least = budget.least_amount_on(_day_for(budget, period, now_ms))
    limits = {basis: quiet_below(budget.thresholds, least, basis) for basis in (Basis.ACTUAL, Basis.FORECAST)}
    spent_limit = min((each for each in limits.values() if each is not None), default=None)
    if spent_limit is None:
        return set()
    if spent_limit <= 0:
        return None
    start_ms, end_ms = bounds_ms(period, budget.timezone)
    expected_limit = limits[Basis.FORECAST]
    if period.kind is PeriodKind.ROLLING or not has_forecast(start_ms, end_ms, now_ms) or expected_limit is None:
        return {scope_id for scope_id, spent, _ in settled(view, budget_id, period, now_ms) if spent >= spent_limit}
    calm = Calm(end_ms - now_ms, recent_ms(budget.timezone, now_ms))
    return {
        scope_id
        for scope_id, spent, recent in settled(view, budget_id, period, now_ms)
        if spent >= spent_limit or calm.total(spent, recent) >= expected_limit
    }


def make_forecast(budget: Budget, period: Period, spend: Spend, now_ms: int) -> Forecast | None:
    """Return a scope's forecast; none for a rolling budget, none early in a period."""
    if period.kind is PeriodKind.ROLLING:
        return None
    start_ms, end_ms = bounds_ms(period, budget.timezone)
    return forecast(spend.trend(budget.timezone, now_ms), start_ms=start_ms, end_ms=end_ms, now_ms=now_ms)


def ended_periods(budget: Budget, since_ms: int, through_ms: int) -> list[Period]:
    """Return the periods that ended within ``(since, through]``, oldest first, the last 31 at most."""
    kind, zone = budget.period.kind, budget.timezone
    if kind is PeriodKind.ROLLING:
        return []
    if kind is PeriodKind.FIXED:
        only = period_on(budget.period, budget.period.first) if budget.period.first else None
        return [only] if only and since_ms < bounds_ms(only, zone)[1] <= through_ms else []
    found: list[Period] = []
    period = period_at(budget.period, zone, through_ms)
    while period is not None and len(found) < MOST_ENDED:
        period = period_on(budget.period, period.start - timedelta(days=1))
        if period is None or bounds_ms(period, zone)[1] <= since_ms:
            break
        found.append(period)
    return found[::-1]


def _standings(
    view: View,
    budget_id: int,
    period: Period,
    counted: Sequence[tuple[Accruing, Share]],
    now_ms: int,
    *,
    scope_ids: Collection[int] | None = None,
) -> list[Standing]:
    budget = view.budgets[budget_id]
    spends = spending(view, budget_id, period, counted, now_ms, scope_ids=scope_ids)
    day = _day_for(budget, period, now_ms)
    found = []
    for scope_id, scope in scopes(view.connection, budget_id, scope_ids).items():
        spend = spends.get(scope_id, Spend())
        made = make_forecast(budget, period, spend, now_ms)
        amount = budget.amount_on(scope, day)
        found.append(Standing(budget_id, budget, scope_id, scope, period, amount, spend, made))
    return found


def _day_for(budget: Budget, period: Period, now_ms: int) -> date:
    """Return the local day whose amount holds: today, or the period's nearest."""
    today = date.fromordinal(day_of(budget.timezone, now_ms))
    return min(max(today, period.start), period.end - timedelta(days=1))
