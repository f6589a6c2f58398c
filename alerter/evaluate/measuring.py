"""Where every scope of every budget stands in a period."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from alerter.core.budgets import Budget, Scope
from alerter.core.evaluation import Level
from alerter.core.forecast import Forecast, forecast
from alerter.core.periods import Period, PeriodKind, bounds_ms, day_of, period_at, period_on
from alerter.spending import Accruing, Spend, accruals, by_budget, spending
from alerter.store.budgets import scopes
from alerter.store.totals import Share, View

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


def standings(view: View, now_ms: int) -> list[Standing]:
    """Return where every scope of every budget stands in its current period."""
    current = [
        (budget_id, period)
        for budget_id, budget in view.budgets.items()
        if (period := period_at(budget.period, budget.timezone, now_ms)) is not None
    ]
    return measure(view, current, now_ms)


def measure(view: View, periods: Iterable[tuple[int, Period]], now_ms: int) -> list[Standing]:
    """Return where every scope of some budgets (by row id) stands in a period of each."""
    counted = by_budget(view, accruals(view, now_ms))
    found = []
    for budget_id, period in periods:
        found += _standings(view, budget_id, period, counted.get(budget_id, ()), now_ms)
    return found


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
    view: View, budget_id: int, period: Period, counted: Sequence[tuple[Accruing, Share]], now_ms: int
) -> list[Standing]:
    budget = view.budgets[budget_id]
    spends = spending(view, budget_id, period, counted, now_ms)
    today = date.fromordinal(day_of(budget.timezone, now_ms))
    day = min(max(today, period.start), period.end - timedelta(days=1))
    found = []
    for scope_id, scope in scopes(view.connection, budget_id).items():
        spend = spends.get(scope_id, Spend())
        made = make_forecast(budget, period, spend, now_ms)
        amount = budget.amount_on(scope, day)
        found.append(Standing(budget_id, budget, scope_id, scope, period, amount, spend, made))
    return found
