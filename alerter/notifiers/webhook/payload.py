"""A message as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Literal

from alerter.core import alerts as domain, plain_text, wording
from alerter.core.money import plain
from alerter.core.periods import iso
from alerter.notifiers.webhook.schema import VERSION, Alert, Body, Digest, DigestBudget, Forecast, Run, State

MOST_BYTES = 262_144
"""Of a body: alerts that don't fit are counted only."""

Event = Literal["told", "updated"]


def encode(
    message: domain.Message, states: Mapping[str, domain.AlertState], key: str, *, event: Event, now_ms: int
) -> bytes:
    """Return the body of a message; ``now_ms`` is its time where it doesn't know when it was decided."""
    shown = len(message.alerts)
    made = _encoded(body(message, states, key, event=event, now_ms=now_ms))
    while len(made) > MOST_BYTES and shown > 1:
        shown //= 2
        made = _encoded(body(message, states, key, event=event, now_ms=now_ms, shown=shown))
    return made


def body(
    message: domain.Message,
    states: Mapping[str, domain.AlertState],
    key: str,
    *,
    event: Event,
    now_ms: int,
    shown: int | None = None,
) -> Body:
    """Return a message with the first ``shown`` of its alerts, each in its present state."""
    chosen = message.alerts[:shown]
    return {
        "version": VERSION,
        "event": event,
        "kind": message.kind,
        "key": key,
        "at": iso(message.at_ms or now_ms),
        "title": plain_text.title(message, states),
        "text": plain_text.text(message, states),
        "alerts": [_alert(each, states.get(each.id, wording.FIRING)) for each in chosen],
        "more_alerts": len(message.alerts) - len(chosen),
        "digest": _digest(message.digest) if message.digest else None,
    }


def _encoded(made: Body) -> bytes:
    return json.dumps(made, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _alert(alert: domain.Alert, state: domain.AlertState) -> Alert:
    return {
        "id": alert.id,
        "budget": alert.budget,
        "title": alert.title,
        "scope": dict(alert.scope),
        "period": {
            "label": alert.period,
            "start": alert.period_start,
            "end": alert.period_end,
            "timezone": alert.timezone,
        },
        "basis": alert.basis,
        "threshold": alert.percent,
        "crossed": list(alert.crossed),
        "reason": str(alert.reason),
        "repeat_at": _instant(alert.repeat_ms),
        "escalate_at": _instant(alert.escalate_ms),
        "currency": alert.currency,
        "amount": plain(alert.amount_nanos),
        "spent": plain(alert.spent_nanos),
        "accruing": plain(alert.accruing_nanos),
        "percent": _percent(alert),
        "recent": plain(alert.recent_nanos),
        "forecast": _forecast(alert),
        "days_left": alert.days_left,
        "next_threshold": alert.next_percent,
        "owner": alert.owner,
        "runs": [_run(each) for each in alert.top],
        "more_runs": alert.more_runs,
        "priced_percent": alert.priced_percent,
        "suspected_stale": plain(alert.stale_nanos),
        "as_of": iso(alert.as_of_ms),
        "stale": alert.stale,
        "url": alert.page_url,
        "state": _state(state),
    }


def _percent(alert: domain.Alert) -> str:
    """Return what is used as decimal text, rounded down: what is not reached is not claimed."""
    if alert.amount_nanos <= 0:
        return "0.0"
    tenths = alert.spent_nanos * 1000 // alert.amount_nanos
    return f"{tenths // 10}.{tenths % 10}"


def _forecast(alert: domain.Alert) -> Forecast | None:
    total = alert.forecast_nanos
    if total is None:
        return None
    low, high = alert.forecast_low_nanos, alert.forecast_high_nanos
    return {
        "total": plain(total),
        "low": plain(total if low is None else low),
        "high": plain(total if high is None else high),
        "crossing": _instant(alert.crossing_ms),
        "crossing_earliest": _instant(alert.crossing_low_ms),
        "crossing_latest": _instant(alert.crossing_high_ms),
    }


def _run(run: domain.RunEvidence) -> Run:
    return {
        "run_id": run.run_uuid,
        "name": run.name,
        "user": run.user,
        "url": run.url,
        "machine": run.machine,
        "running": run.running,
        "cost": plain(run.cost_nanos),
        "cost_per_hour": plain(run.per_hour_nanos),
        "suspected_stale": plain(run.stale_nanos),
    }


def _digest(digest: domain.Digest) -> Digest:
    return {
        "name": digest.name,
        "every": digest.every,
        "day": digest.day,
        "days": digest.days,
        "timezone": digest.timezone,
        "currency": digest.currency,
        "as_of": iso(digest.as_of_ms),
        "budgets": [_digest_budget(each) for each in digest.budgets],
        "more_budgets": digest.more_budgets,
        "over": digest.over,
        "movers": [_digest_budget(each) for each in digest.movers],
        "runs": [_run(each) for each in digest.top],
        "more_runs": digest.more_runs,
        "suspected_stale": plain(digest.stale_nanos),
        "suspected_stale_runs": [_run(each) for each in digest.stale],
        "priced_percent": digest.priced_percent,
        "missing": list(digest.missing),
        "url": digest.page_url,
    }


def _digest_budget(budget: domain.DigestBudget) -> DigestBudget:
    expected = budget.expected_nanos
    return {
        "title": budget.title,
        "period": budget.period,
        "amount": plain(budget.amount_nanos),
        "spent": plain(budget.spent_nanos),
        "expected": None if expected is None else plain(expected),
        "days_left": budget.days_left,
        "moved": plain(budget.moved_nanos),
        "before": plain(budget.before_nanos),
        "suspected_stale": plain(budget.stale_nanos),
    }


def _state(state: domain.AlertState) -> State:
    return {
        "status": state.status,
        "by": state.by,
        "at": _instant(state.at_ms or None),
        "until": state.until,
        "note": state.note,
    }


def _instant(at_ms: int | None) -> str | None:
    return None if at_ms is None else iso(at_ms)
