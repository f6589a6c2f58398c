"""What stands on the status page, read in one state of the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from alerter import __version__
from alerter.alerts_shown import alert_views
from alerter.burn_up import Points, ScopeKey, burn_ups
from alerter.core.alerts import Message
from alerter.core.budgets import Basis
from alerter.core.chart import BurnUp, of_days
from alerter.core.periods import period_at
from alerter.core.text import one_line
from alerter.core.views import AlertView, BudgetStatus, PageData, SourceView, UndeliveredView
from alerter.core.wording import FIRING, group_title, headline
from alerter.services import Services
from alerter.spending import accruals
from alerter.status import budget_status, freshness
from alerter.store import sources
from alerter.store.outbox_read import NotificationView, list_notifications, messages
from alerter.store.sources import SourceState
from alerter.store.totals import View, find_scopes

WAITING_MS = 60_000
"""A message that has waited longer, or was tried in vain, is shown."""

LOST_SHOWN_MS = 7 * 86_400_000
"""How long a message that was given up is shown."""

CHARTS = 12
"""Charts that the page draws."""

_MOST = 100
_WHAT_LIMIT = 150


def page_data(services: Services, view: View, now_ms: int, problems: Sequence[str], role: str = "") -> PageData:
    """Return everything on the status page, in one state of the ledger."""
    fresh = freshness(view)
    budgets, alerts = budget_status(view, now_ms), alert_views(view)
    return PageData(
        now_ms=now_ms,
        as_of_ms=fresh.as_of_ms,
        stale=fresh.stale,
        version=__version__,
        timezone=_zone(services),
        budgets=budgets,
        alerts=alerts,
        charts=_charts(view, alerts, budgets, now_ms),
        undelivered=_undelivered(view, now_ms),
        sources=[
            SourceView(name, state.complete_ms if state else None, _problem(state))
            for name, state in source_states(services, view)
        ],
        problems=problems,
        role=role,
    )


def _charts(view: View, alerts: Sequence[AlertView], budgets: Sequence[BudgetStatus], now_ms: int) -> dict[str, BurnUp]:
    """Return the charts of the first alerts by their ids; one for each scope, in its current period."""
    chosen: dict[ScopeKey, tuple[str, BudgetStatus]] = {}
    current = {(each.budget, each.scope): each for each in budgets}
    row_ids = {budget.name: row_id for row_id, budget in view.budgets.items()}
    for alert in alerts:
        status = current.get((alert.budget, alert.scope))
        if (
            alert.basis is Basis.RUN
            or status is None
            or alert.period_start < status.period_start
            or len(chosen) >= CHARTS
        ):
            continue
        row_id = row_ids[alert.budget]
        scope_id = find_scopes(view.connection, row_id, [alert.scope]).get(alert.scope)
        if scope_id is not None:
            chosen.setdefault((row_id, scope_id), (alert.id, status))
    zones = {row_id: budget.timezone for row_id, budget in view.budgets.items()}
    periods = {key: period_at(view.budgets[key[0]].period, zones[key[0]], now_ms) for key in chosen}
    shown = [(key, period) for key, period in periods.items() if period is not None]
    found = {}
    for (key, _), days in zip(shown, burn_ups(view, shown, accruals(view, now_ms), now_ms), strict=True):
        alert_id, status = chosen[key]
        found[alert_id] = chart_of(status, days, now_ms)
    return {alert_id: made for alert_id, made in found.items() if made is not None}


def chart_of(status: BudgetStatus, days: Points, now_ms: int) -> BurnUp | None:
    """Return the chart of a scope's current period."""
    first, end = date.fromisoformat(status.period_start), date.fromisoformat(status.period_end)
    expected = status.forecast_nanos
    low, high = status.forecast_band or (expected, expected)
    return of_days(
        (first, end - timedelta(days=1)),
        status.timezone,
        days,
        now=(now_ms, status.spent_nanos),
        amount=status.amount_nanos,
        ahead=None if expected is None or low is None or high is None else (low, expected, high),
        in_a_day=status.forecast_day_nanos,
    )


def source_states(services: Services, view: View) -> Iterator[tuple[str, SourceState | None]]:
    """Yield the configured sources with their state, None for one that was never polled."""
    known = {state.name: state for state in sources.states(view.connection)}
    for source in services.sources:
        yield source.name, known.get(source.name)


def _problem(state: SourceState | None) -> str:
    return state.error if state is not None and state.failing_since_ms is not None else ""


def _undelivered(view: View, now_ms: int) -> list[UndeliveredView]:
    """Return the messages that were given up, and those that wait for longer than they should; the oldest last."""
    waiting = [
        each
        for each in list_notifications(view.connection, status="pending", limit=_MOST)
        if each.attempts or now_ms - each.created_ms > WAITING_MS
    ]
    lost = [
        each
        for each in list_notifications(view.connection, status="dead", limit=_MOST)
        if now_ms - each.created_ms < LOST_SHOWN_MS
    ]
    said = messages(view.connection, [each.id for each in (*waiting, *lost)])
    return [_view(each, said.get(each.id)) for each in (*waiting, *lost)]


def _view(row: NotificationView, message: Message | None) -> UndeliveredView:
    return UndeliveredView(
        receiver=row.receiver,
        kind=row.kind,
        state=row.status,
        attempts=row.attempts,
        what=one_line(_subject(message) or ", ".join(row.alert_ids) or row.key, _WHAT_LIMIT),
        since_ms=row.created_ms,
        problem=row.error,
    )


def _subject(message: Message | None) -> str:
    if message is None:
        return ""
    if len(message.alerts) == 1 and not message.title:
        return headline(message.alerts[0], FIRING)
    return group_title(message)


def _zone(services: Services) -> str:
    """Return the zone in which most budgets count their days."""
    zones = Counter(budget.timezone for budget in services.config.budgets)
    return zones.most_common(1)[0][0] if zones else "UTC"
