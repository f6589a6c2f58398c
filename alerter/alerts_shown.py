"""What people ask: what fires, who has it, why it was told, and why nothing more is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from alerter.core.alerts import AlertState, AlertStatus
from alerter.core.budgets import Scope
from alerter.core.decisions import SILENCES, Reason
from alerter.core.money import plain
from alerter.core.periods import Period, PeriodKind, iso
from alerter.core.resolutions import reason_of
from alerter.core.views import AlertView, DeliveryView
from alerter.store.alert_states import alert_states
from alerter.store.alerts import FIRING, StoredAlert, load_alerts
from alerter.store.budgets import scopes
from alerter.store.bulk import query
from alerter.store.episodes import load_episodes
from alerter.store.outbox_read import deliveries
from alerter.store.references import run_names
from alerter.store.totals import View

Json = dict[str, Any]

_BUDGETS = "SELECT id, name, spec FROM budget"


def alert_views(view: View, *, everything: bool = False) -> list[AlertView]:
    """Return the alerts that are not resolved, or all of them; the oldest first."""
    alerts = load_alerts(view.connection, "" if everything else f"status = '{FIRING}'")
    states = alert_states(view.connection, [alert.id for alert in alerts])
    told = deliveries(view.connection, [alert.id for alert in alerts])
    names = {
        (budget_id, scope_id): scope
        for budget_id in {alert.budget_id for alert in alerts}
        for scope_id, scope in scopes(view.connection, budget_id).items()
    }
    budgets = {row.id: _stored_budget(row) for row in query(view.connection, _BUDGETS)}
    silences = _silences(view, alerts)
    runs = run_names(view.connection, {alert.subject for alert in alerts if alert.subject})
    found = []
    for alert in alerts:
        scope, state = names[alert.budget_id, alert.scope_id], states[alert.public_id]
        one = _alert_view(alert, budgets[alert.budget_id], scope, state, told.get(alert.id, ()))
        reason, silence = _why(alert, silences.get(alert.id))
        found.append(replace(one, reason=reason, silence=silence, run_name=runs.get(alert.subject, "")))
    return found


def alerts_json(view: View, *, everything: bool = True) -> Json:
    """Return the body of ``alerts --json``."""
    return {
        "alerts": [
            {
                "id": each.id,
                "budget": each.budget,
                "scope": dict(each.scope),
                "period_start": each.period_start,
                "basis": each.basis.value,
                "threshold": each.threshold,
                "run": each.run or None,
                "currency": each.currency,
                "amount": plain(each.amount_nanos),
                "spent": plain(each.spent_nanos),
                "status": each.status.value,
                "fired_at": iso(each.fired_at_ms),
                "reason": each.reason or None,
                "silence": each.silence or None,
                "acknowledged_by": each.acknowledged_by or None,
                "acknowledged_via": each.via or None,
                "acknowledged_at": iso(each.held_at_ms) if each.held_at_ms else None,
                "until": each.until or None,
                "note": each.note or None,
                "deliveries": [
                    {"receiver": way.receiver, "kind": way.kind, "state": way.state, "attempts": way.attempts}
                    for way in each.deliveries
                ],
            }
            for each in alert_views(view, everything=everything)
        ]
    }


@dataclass(frozen=True, slots=True)
class StoredBudget:
    """What an alert's budget says, also of one that is no longer configured."""

    name: str
    currency: str
    kind: PeriodKind

    def label(self, alert: StoredAlert) -> str:
        """Return the name of an alert's period."""
        if self.kind is PeriodKind.ROLLING:
            return f"since {alert.period_start}"
        first, end = date.fromisoformat(alert.period_start), date.fromisoformat(alert.period_end)
        return Period(self.kind, first, end).label()


def _stored_budget(row: Any) -> StoredBudget:  # noqa: ANN401 - a row of the database
    spec = json.loads(row.spec)
    return StoredBudget(row.name, str(spec["currency"]), PeriodKind(spec["period"]["kind"]))


def _silences(view: View, alerts: Sequence[StoredAlert]) -> dict[int, Reason | None]:
    """Return why nothing is told of the episode of each alert (by its row id) now; None where it has just been told."""
    known = load_episodes(view.connection, {each.period_start for each in alerts})
    found = {}
    for alert in alerts:
        episode = known.get((alert.budget_id, alert.scope_id, alert.period_start))
        if episode is not None and not alert.subject:
            found[alert.id] = episode.told.silence
    return found


def _why(alert: StoredAlert, silence: Reason | None) -> tuple[str, str]:
    """Return why an alert was told last, or has resolved, and why nothing is told of it now; ``""`` for neither."""
    if alert.status == AlertStatus.RESOLVED:
        return reason_of(alert.reason).value, ""
    return "" if alert.reason in SILENCES else alert.reason, silence.value if silence else ""


def _alert_view(
    alert: StoredAlert,
    budget: StoredBudget,
    scope: Scope,
    state: AlertState,
    told: Sequence[DeliveryView],
) -> AlertView:
    held = state.status in {AlertStatus.ACKNOWLEDGED, AlertStatus.SNOOZED}
    return AlertView(
        id=alert.public_id,
        budget=budget.name,
        scope=scope,
        period=budget.label(alert),
        period_start=alert.period_start,
        basis=alert.basis,
        threshold=alert.percent,
        currency=budget.currency,
        amount_nanos=alert.amount_nanos,
        spent_nanos=alert.spent_nanos,
        status=state.status,
        fired_at_ms=alert.fired_ms,
        acknowledged_by=state.by if held else "",
        via=state.via if held else "",
        held_at_ms=state.at_ms if held else 0,
        until=state.until,
        note=state.note,
        deliveries=tuple(told),
        run=alert.subject,
    )
