"""Periods that are over: what is looked at once more, and when their alerts close."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date

from alerter.core.alerts import PERIOD_CLOSED
from alerter.core.decisions import Reason, Situation, decide
from alerter.core.periods import DAY_MS, Period, bounds_ms, day_of
from alerter.core.resolutions import BUDGET_REMOVED, period_closed
from alerter.evaluate.deciding import Round, close_hold
from alerter.evaluate.measuring import ended_periods
from alerter.store import meta
from alerter.store.alerts import FIRING, StoredAlert, load_alerts, resolve_alerts
from alerter.store.budgets import first_taken
from alerter.store.episodes import EpisodeKey, Known, load_episodes
from alerter.store.holds import Hold, holds_with_ends
from alerter.store.outbox import request_update
from alerter.store.totals import View

log = logging.getLogger(__name__)

WAIT_MS = 3 * DAY_MS
"""A period closes without what a source that can't be read would have added, after so long."""


def closed_through(view: View, now_ms: int, before_ms: int | None, read_ms: int) -> tuple[int, int]:
    """Return ``(since, through)``: periods that end within it are over, and every source was read beyond their end."""
    since_ms = meta.closed_ms(view.connection)
    since_ms = before_ms if since_ms is None else since_ms
    through_ms = max(min(now_ms, read_ms), now_ms - WAIT_MS)
    return (through_ms, through_ms) if since_ms is None else (since_ms, max(since_ms, through_ms))


def ended_since(view: View, since_ms: int, through_ms: int) -> list[tuple[int, Period]]:
    """Return the periods that ended, with their budgets' row ids; none from before a budget was there."""
    ended = [
        (budget_id, period)
        for budget_id, budget in view.budgets.items()
        for period in ended_periods(budget, since_ms, through_ms)
    ]
    taken_ms = first_taken(view.connection) if ended else {}
    return [
        (budget_id, period)
        for budget_id, period in ended
        if bounds_ms(period, view.budgets[budget_id].timezone)[1] > taken_ms.get(budget_id, 0)
    ]


def lingering(view: View, through_ms: int, but: Collection[tuple[int, Period]]) -> list[tuple[int, Period]]:
    """Return the periods that were over before, and have alerts that quiet hours still hold back."""
    found: dict[tuple[int, Period], None] = {}
    for alert in load_alerts(view.connection, "status = ? AND subject = '' AND period_end <= ?", *_over_by(through_ms)):
        budget = view.budgets.get(alert.budget_id)
        if budget is not None and _is_over(alert.period_end, budget.timezone, through_ms):
            days = date.fromisoformat(alert.period_start), date.fromisoformat(alert.period_end)
            found[alert.budget_id, Period(budget.period.kind, *days)] = None
    return [each for each in found if each not in but]


def close(work: Round, through_ms: int) -> None:
    """Resolve the alerts of periods that are over, unless they wait for quiet hours, and of budgets that are gone."""
    view, over, gone = work.view, [], []
    marks = ",".join("?" * len(view.budgets)) or "NULL"
    where = f"status = ? AND (period_end <= ? OR budget_id NOT IN ({marks}))"
    for alert in load_alerts(view.connection, where, *_over_by(through_ms), *view.budgets):
        budget = view.budgets.get(alert.budget_id)
        if budget is None:
            gone.append(alert)
        elif _is_over(alert.period_end, budget.timezone, through_ms) and not _waits(work, alert):
            over.append(alert)
    ended = {_key_of(each): each for each in over if not each.subject}
    _load(work, ended)
    resolved: dict[str, list[StoredAlert]] = defaultdict(list, {BUDGET_REMOVED: gone} if gone else {})
    for alert in over:
        resolved[_words(work, alert)].append(alert)
    for why, alerts in resolved.items():
        resolve_alerts(view.connection, alerts, why, work.now_ms)
        request_update(view.connection, [each.id for each in alerts])
        log.info("alerts resolved ids=%s reason=%r", [each.public_id for each in alerts], why)
    _note_closed(work, ended)
    _end_holds(work, through_ms)
    meta.set_closed(view.connection, through_ms)


def _key_of(alert: StoredAlert) -> EpisodeKey:
    return alert.budget_id, alert.scope_id, alert.period_start


def _load(work: Round, keys: Collection[EpisodeKey]) -> None:
    """Make some episodes known, as they were left."""
    missing = {start for *_, start in set(keys) - work.known.keys()}
    work.known = load_episodes(work.view.connection, missing) | work.known


def _words(work: Round, alert: StoredAlert) -> str:
    """Return why an alert resolves whose period is over, with what was spent by then."""
    known = work.known.get(_key_of(alert))
    if alert.subject or known is None:
        return PERIOD_CLOSED
    return period_closed(known.spent, work.view.budgets[alert.budget_id].currency)


def _note_closed(work: Round, ended: Mapping[EpisodeKey, StoredAlert]) -> None:
    for key, alert in sorted(ended.items()):
        known = work.known.get(key, Known())
        decision = decide(_ended(work, alert, known))
        work.note(key, Known(decision.told, known.spent), decision.reason, tells=decision.tells)


def _ended(work: Round, alert: StoredAlert, known: Known) -> Situation:
    """Return what an episode is whose period has closed: nothing of it fires any more."""
    budget = work.view.budgets[alert.budget_id]
    return Situation(
        now_ms=work.now_ms,
        zone=budget.timezone,
        rules=budget.rules,
        told=known.told,
        actual=0,
        forecast=0,
        spent=known.spent,
        amount=alert.amount_nanos,
        resolved=Reason.CLOSED,
        closed=True,
    )


def _end_holds(work: Round, through_ms: int) -> None:
    """End what nobody needs to be told of: holds on periods that are over, and on what has resolved.

    Those on single runs end in `alerter.run_alerts`.
    """
    ends: Mapping[Hold, tuple[str, str]] = holds_with_ends(work.view.connection)
    for hold, (end, target) in ends.items():
        budget = work.view.budgets.get(hold.budget_id)
        zone = budget.timezone if budget else "UTC"
        past = not hold.subject and hold.until_ms is not None and hold.until_ms <= work.now_ms
        if past or budget is None or _is_over(end, zone, through_ms):
            close_hold(work.view, hold, "hold ended", work.now_ms, target=target, zone=zone)
            request_update(work.view.connection, [each.id for each in _alerts_of(work.view, hold)])


def _alerts_of(view: View, hold: Hold) -> list[StoredAlert]:
    where = "budget_id = ? AND scope_id = ? AND period_start = ? AND subject = ?"
    return load_alerts(view.connection, where, hold.budget_id, hold.scope_id, hold.period_start, hold.subject)


def _waits(work: Round, alert: StoredAlert) -> bool:
    known = work.known.get((alert.budget_id, alert.scope_id, alert.period_start))
    return not alert.subject and known is not None and known.told.silence is Reason.QUIET_HOURS


def _over_by(through_ms: int) -> tuple[str, str]:
    """Return what to look for among firing alerts: the date is over in no zone before then, and asked for in each."""
    return FIRING, date.fromordinal(day_of("UTC", through_ms) + 1).isoformat()


def _is_over(end: str, zone: str, at_ms: int) -> bool:
    return end <= date.fromordinal(day_of(zone, at_ms)).isoformat()
