"""Episodes: the alerts of one (budget, scope, period), and how their rows change."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from alerter.core.budgets import Basis, Threshold
from alerter.core.decisions import Reason
from alerter.core.evaluation import AlertKey, Change, Transition, due_thresholds, evaluate, key_of, reaches_any
from alerter.core.periods import Period, PeriodKind
from alerter.core.resolutions import amount_raised, forecast_fell, spending_fell
from alerter.corrections import corrected
from alerter.evaluate.measuring import ScopeKey, Standing
from alerter.store import meta
from alerter.store.alerts import ENDLESS, FIRING, RESOLVED, StoredAlert, load_alerts, put_alert, resolve_alerts
from alerter.store.budgets import changed_by
from alerter.store.episodes import EpisodeKey
from alerter.store.outbox import request_update
from alerter.store.totals import View

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Episode:
    """A standing with the alerts that belong to its period, or to a rolling budget's episode, from ``start`` on.

    ``closed`` means that the period is over.
    """

    standing: Standing
    start: str
    alerts: Mapping[AlertKey, StoredAlert]
    closed: bool = False

    @property
    def key(self) -> EpisodeKey:
        """What it is remembered by."""
        return self.standing.budget_id, self.standing.scope_id, self.start

    def keys(self, status: str) -> set[AlertKey]:
        """Return the keys of the alerts of one status."""
        return {key for key, alert in self.alerts.items() if alert.status == status}

    def changes(self) -> list[Transition]:
        """Return what brings the alerts in line with the spending."""
        standing, level = self.standing, self.standing.level
        if not self.alerts and not reaches_any(standing.budget.thresholds, level):
            return []  # nearly all of ten thousand scopes
        return evaluate(
            standing.budget.thresholds,
            standing.budget.beyond,
            level,
            firing=self.keys(FIRING),
            resolved=self.keys(RESOLVED),
            moved={key for key, alert in self.alerts.items() if alert.amount_nanos != standing.amount},
        )

    def threshold(self, key: AlertKey) -> Threshold:
        """Return a threshold with its receivers, as it is configured; bare if it is not (any more)."""
        budget = self.standing.budget
        due = due_thresholds(budget.thresholds, budget.beyond, self.standing.level)
        known = {key_of(each): each for each in (*due, *budget.thresholds)}
        return known.get(key) or Threshold(key.basis, key.percent)


AlertsByScope = Mapping[ScopeKey, Sequence[StoredAlert]]
"""The alerts of each scope."""


def alerts_since(view: View, periods: Iterable[tuple[int, Period]]) -> AlertsByScope:
    """Return the alerts of the scopes that have any in some periods, or later ones."""
    known: dict[ScopeKey, list[StoredAlert]] = {}
    earliest = min((period.start.isoformat() for _, period in periods), default=ENDLESS)
    for alert in load_alerts(view.connection, "subject = '' AND period_end > ?", earliest):
        known.setdefault((alert.budget_id, alert.scope_id), []).append(alert)
    return known


def episodes_of(measured: Iterable[Standing], known: AlertsByScope, *, closed: bool = False) -> list[Episode]:
    """Return the episode of each standing, in the same order."""
    return [_episode(each, known.get((each.budget_id, each.scope_id), ()), closed=closed) for each in measured]


def _episode(standing: Standing, alerts: Sequence[StoredAlert], *, closed: bool) -> Episode:
    start = standing.period.start.isoformat()
    if standing.period.kind is PeriodKind.ROLLING:
        today = date.fromordinal(standing.period.end.toordinal() - 1).isoformat()
        start = min((each.period_start for each in alerts if each.status == FIRING), default=today)
    mine = {AlertKey(each.basis, each.percent): each for each in alerts if each.period_start == start}
    return Episode(standing, start, mine, closed)


def put(view: View, episode: Episode, coming: Sequence[Transition], reason: Reason, now_ms: int) -> list[StoredAlert]:
    """Let alerts fire, for the first time or again, and return them."""
    fired = [put_alert(view.connection, _row(episode, each.threshold, reason, now_ms)) for each in coming]
    again = [alert.id for alert, each in zip(fired, coming, strict=True) if each.change is Change.REOPEN]
    request_update(view.connection, again)  # the message of an alert that fires again still says "resolved"
    return fired


def _row(episode: Episode, threshold: Threshold, reason: Reason, now_ms: int) -> StoredAlert:
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
        reason=reason.value,
        amount_nanos=standing.amount,
        spent_nanos=standing.spend.spent,
        fired_ms=now_ms,
        resolved_ms=None,
    )


def resolve(view: View, episode: Episode, going: Sequence[Transition], now_ms: int) -> Reason | None:
    """Resolve alerts that no longer hold, with the reason in their words; return it, or None for no alerts."""
    if not going:
        return None
    alerts = [episode.alerts[key_of(each.threshold)] for each in going]
    raised = any(episode.standing.amount > each.amount_nanos for each in alerts)
    why = _why(view, alerts, episode.standing, raised=raised)
    resolve_alerts(view.connection, alerts, why, now_ms)
    request_update(view.connection, [each.id for each in alerts])
    log.info("alerts resolved ids=%s reason=%r", [each.public_id for each in alerts], why)
    return Reason.RAISED if raised else Reason.CORRECTED


def _why(view: View, alerts: Sequence[StoredAlert], standing: Standing, *, raised: bool) -> str:
    level, currency = standing.level, standing.budget.currency
    since_ms = meta.evaluated_ms(view.connection) or 0
    if raised:
        by = changed_by(view.connection, standing.budget_id, since_ms)
        return amount_raised(level.amount, level.spent, currency, by)
    by_correction = corrected(view, standing.budget_id, standing.scope_id, standing.period, since_ms)
    if by_correction:
        return by_correction
    if level.forecast is not None and all(each.basis is Basis.FORECAST for each in alerts):
        return forecast_fell(level.forecast, level.amount, currency)
    return spending_fell(level.spent, level.amount, currency)
