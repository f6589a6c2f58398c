"""Evaluate every budget against what is spent, and put what must be told into the outbox: one transaction."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from alerter.core.budgets import Basis, Budget, Scope, Threshold
from alerter.core.evaluation import AlertKey, Change, Level, Transition, evaluate, key_of
from alerter.core.forecast import Forecast, forecast
from alerter.core.periods import Period, PeriodKind, bounds_ms, day_of, period_at
from alerter.spending import Accruing, Spend, accruals, by_budget, spending
from alerter.store.alerts import (
    ENDLESS,
    FIRING,
    RESOLVED,
    StoredAlert,
    load_alerts,
    put_alert,
    resolve_alerts,
)
from alerter.store.budgets import scopes
from alerter.store.outbox import request_update
from alerter.store.totals import Share, View

log = logging.getLogger(__name__)


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
        return Level(self.amount, self.spend.spent, made.total if made else None, made.band if made else 0)


@dataclass(frozen=True, slots=True)
class Fired:
    """The thresholds that one scope newly crossed, lowest first, with their alerts."""

    standing: Standing
    alerts: tuple[StoredAlert, ...]
    thresholds: tuple[Threshold, ...]
    reason: str

    @property
    def told(self) -> StoredAlert:
        """The alert that a message names: the highest actual threshold, or the highest forecast one."""
        return self.alerts[self._highest()]

    @property
    def highest(self) -> Threshold:
        """The threshold that a message names."""
        return self.thresholds[self._highest()]

    def _highest(self) -> int:
        order = [(each.basis is Basis.ACTUAL, each.percent) for each in self.thresholds]
        return order.index(max(order))


def standings(view: View, now_ms: int) -> list[Standing]:
    """Return where every scope of every budget stands in its current period."""
    current = {
        budget_id: period
        for budget_id, budget in view.budgets.items()
        if (period := period_at(budget.period, budget.timezone, now_ms)) is not None
    }
    return _measure(view, current, now_ms)


def evaluate_all(view: View, *, now_ms: int, before_ms: int | None) -> list[Fired]:
    """Bring the alerts in line with the spending and return what was newly crossed.

    A period that ended since the last evaluation (``before_ms``) is evaluated once more before it closes.
    """
    fired: list[Fired] = []
    ended = _ended_periods(view, now_ms, before_ms)
    if ended:
        fired += _transitions(view, _measure(view, ended, now_ms), now_ms)
    fired += _transitions(view, standings(view, now_ms), now_ms)
    _close(view, now_ms)
    return fired


def _ended_periods(view: View, now_ms: int, before_ms: int | None) -> dict[int, Period]:
    """Return the periods, by budget id, that were current at the last evaluation and are over now."""
    ended: dict[int, Period] = {}
    for budget_id, budget in view.budgets.items() if before_ms is not None else ():
        period = period_at(budget.period, budget.timezone, before_ms or 0)
        over = period is not None and bounds_ms(period, budget.timezone)[1] <= now_ms
        if period is not None and over and period.kind is not PeriodKind.ROLLING:
            ended[budget_id] = period
    return ended


def _measure(view: View, periods: Mapping[int, Period], now_ms: int) -> list[Standing]:
    counted = by_budget(view, accruals(view, now_ms))
    found = []
    for budget_id, period in periods.items():
        found += _standings(view, budget_id, period, counted.get(budget_id, ()), now_ms)
    return found


def make_forecast(budget: Budget, period: Period, spend: Spend, now_ms: int) -> Forecast | None:
    """Return a scope's forecast; none for a rolling budget, none early in a period."""
    if period.kind is PeriodKind.ROLLING:
        return None
    start_ms, end_ms = bounds_ms(period, budget.timezone)
    return forecast(spend.trend(budget.timezone, now_ms), start_ms=start_ms, end_ms=end_ms, now_ms=now_ms)


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


@dataclass(frozen=True, slots=True)
class _Episode:
    """A standing with the alerts that belong to its period, or to a rolling budget's episode, from ``start`` on."""

    standing: Standing
    start: str
    alerts: Mapping[AlertKey, StoredAlert]

    def keys(self, status: str) -> set[AlertKey]:
        return {key for key, alert in self.alerts.items() if alert.status == status}


def _transitions(view: View, measured: Sequence[Standing], now_ms: int) -> list[Fired]:
    known: dict[tuple[int, int], list[StoredAlert]] = {}
    for alert in load_alerts(view.connection, "subject = '' AND period_end > ?", _earliest_start(measured)):
        known.setdefault((alert.budget_id, alert.scope_id), []).append(alert)
    fired = []
    for standing in measured:
        episode = _episode(standing, known.get((standing.budget_id, standing.scope_id), ()))
        changes = evaluate(
            standing.budget.thresholds,
            standing.budget.beyond,
            standing.level,
            firing=episode.keys(FIRING),
            resolved=episode.keys(RESOLVED),
            moved={key for key, alert in episode.alerts.items() if alert.amount_nanos != standing.amount},
        )
        going = [episode.alerts[key_of(each.threshold)] for each in changes if each.change is Change.RESOLVE]
        if going:
            _resolve(view, going, standing, now_ms)
        coming = [each for each in changes if each.change is not Change.RESOLVE]
        if coming:
            fired.append(_fire(view, episode, coming, now_ms))
    return fired


def _fire(view: View, episode: _Episode, coming: Sequence[Transition], now_ms: int) -> Fired:
    reason = "first"
    if episode.keys(FIRING):
        reason = "higher threshold"
    elif any(each.change is Change.REOPEN for each in coming):
        reason = "reopened"
    thresholds = tuple(each.threshold for each in coming)
    alerts = tuple(put_alert(view.connection, _row(episode, each, reason, now_ms)) for each in thresholds)
    fired = Fired(episode.standing, alerts, thresholds, reason)
    again = [each.id for each in alerts if each.id in {known.id for known in episode.alerts.values()}]
    request_update(view.connection, again)  # the message of an alert that fires again still says "resolved"
    budget = episode.standing.budget.name
    log.info("alert fired id=%s budget=%r threshold=%s reason=%r", fired.told.public_id, budget, fired.highest, reason)
    return fired


def _row(episode: _Episode, threshold: Threshold, reason: str, now_ms: int) -> StoredAlert:
    standing, known = episode.standing, episode.alerts.get(key_of(threshold))
    rolling = standing.period.kind is PeriodKind.ROLLING
    return StoredAlert(
        id=known.id if known else 0,
        public_id=known.public_id if known else "",
        budget_id=standing.budget_id,
        scope_id=standing.scope_id,
        period_start=episode.start,
        period_end=ENDLESS if rolling else standing.period.end.isoformat(),
        basis=threshold.basis,
        percent=threshold.percent,
        status=FIRING,
        reason=reason,
        amount_nanos=standing.amount,
        spent_nanos=standing.spend.spent,
        fired_ms=now_ms,
        resolved_ms=None,
    )


def _episode(standing: Standing, alerts: Sequence[StoredAlert]) -> _Episode:
    start = standing.period.start.isoformat()
    if standing.period.kind is PeriodKind.ROLLING:
        today = date.fromordinal(standing.period.end.toordinal() - 1).isoformat()
        start = min((each.period_start for each in alerts if each.status == FIRING), default=today)
    mine = {AlertKey(each.basis, each.percent): each for each in alerts if each.period_start == start}
    return _Episode(standing, start, mine)


def _resolve(view: View, alerts: Sequence[StoredAlert], standing: Standing, now_ms: int) -> None:
    raised = any(standing.amount > each.amount_nanos for each in alerts)
    reason = "amount raised" if raised else "spending fell"
    if not raised and all(each.basis is Basis.FORECAST for each in alerts):
        reason = "forecast fell"
    resolve_alerts(view.connection, alerts, reason, now_ms)
    request_update(view.connection, [each.id for each in alerts])
    log.info("alerts resolved ids=%s reason=%r", [each.public_id for each in alerts], reason)


def _close(view: View, now_ms: int) -> None:
    """Resolve the alerts of periods that are over, and of budgets that are gone."""
    over, gone = [], []
    for alert in load_alerts(view.connection, "status = ?", FIRING):
        budget = view.budgets.get(alert.budget_id)
        if budget is None:
            gone.append(alert)
        elif alert.period_end <= date.fromordinal(day_of(budget.timezone, now_ms)).isoformat():
            over.append(alert)
    for alerts, reason in ((over, "period closed"), (gone, "budget removed")):
        resolve_alerts(view.connection, alerts, reason, now_ms)
        request_update(view.connection, [each.id for each in alerts])


def _earliest_start(measured: Sequence[Standing]) -> str:
    return min((each.period.start.isoformat() for each in measured), default=ENDLESS)
