"""What people ask: where budgets stand, what fires, which runs cost most."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from alerter.briefing import Describer
from alerter.core.alerts import AlertState, AlertStatus
from alerter.core.budgets import Reach, everything
from alerter.core.money import plain
from alerter.core.periods import Period, PeriodKind, bounds_ms, iso
from alerter.core.views import AlertView, BudgetStatus, DeliveryView, Restatement, RunCost, percent_of, title_of
from alerter.coverage import coverage_json, measure
from alerter.evaluate import Standing, standings
from alerter.evidence import collect, run_counts
from alerter.restatements import restatements
from alerter.spending import accruals
from alerter.store import sources
from alerter.store.alert_states import alert_states
from alerter.store.alerts import StoredAlert, load_alerts
from alerter.store.budgets import scopes
from alerter.store.bulk import query
from alerter.store.outbox_read import deliveries
from alerter.store.references import run_names
from alerter.store.totals import View

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far the data goes: ``as_of_ms`` is None before any source was read once."""

    as_of_ms: int | None
    stale: bool
    errors: tuple[str, ...] = ()


def freshness(view: View) -> Freshness:
    """Return the data's time: the earliest of the sources' last complete polls."""
    states = sources.states(view.connection)
    read = [state.complete_ms for state in states if state.complete_ms is not None]
    failing = [state for state in states if state.failing_since_ms is not None or state.complete_ms is None]
    return Freshness(min(read, default=None), bool(failing), tuple(state.error for state in failing if state.error))


def budget_status(view: View, now_ms: int) -> list[BudgetStatus]:
    """Return where every scope of every budget stands, in the configuration's order, the fullest scope first."""
    runs = accruals(view, now_ms)
    measured = standings(view, now_ms)
    windows = {each.budget_id: bounds_ms(each.period, each.budget.timezone) for each in measured}
    counts = run_counts(view, windows, runs)
    stale = freshness(view).stale
    restated = restatements(view, now_ms)
    found = []
    for each in measured:
        key = (each.budget_id, each.scope_id)
        row = _status(each, counts.get(key, 0), restated.get(key, ()), stale=stale)
        if row.runs or row.spent_nanos or row.restated or not row.scope:
            found.append(row)
    order = {budget.name: place for place, budget in enumerate(view.budgets.values())}
    return sorted(found, key=lambda each: (order[each.budget], -each.percent, each.title))


def named(rows: Sequence[BudgetStatus], name: str) -> list[BudgetStatus]:
    """Return the rows of one budget or one scope title, whatever its case."""
    wanted = name.casefold()
    return [row for row in rows if wanted in {row.budget.casefold(), row.title.casefold()}]


def alert_views(view: View, *, everything: bool = False) -> list[AlertView]:
    """Return the alerts that are not resolved, or all of them; the oldest first."""
    alerts = load_alerts(view.connection, "" if everything else "status <> 'resolved'")
    states = alert_states(view.connection, [alert.id for alert in alerts])
    told = deliveries(view.connection, [alert.id for alert in alerts])
    names = {
        (budget_id, scope_id): scope
        for budget_id in {alert.budget_id for alert in alerts}
        for scope_id, scope in scopes(view.connection, budget_id).items()
    }
    budgets = {row.id: _stored_budget(row) for row in query(view.connection, _BUDGETS)}
    runs = run_names(view.connection, {alert.subject for alert in alerts if alert.subject})
    found = (
        _alert_view(alert, budgets[alert.budget_id], names, states[alert.public_id], told.get(alert.id, ()))
        for alert in alerts
    )
    return [replace(each, run_name=runs.get(each.run, "")) if each.run else each for each in found]


def top_runs(
    view: View, describer: Describer, now_ms: int, *, limit: int, name: str | None = None, reaches: Reach = everything
) -> list[RunCost]:
    """Return the dearest runs of the current periods; of one budget or scope title if ``name`` is given.

    Only of the budgets, by name and scope, that ``reaches`` accepts.
    """
    measured = [each for each in standings(view, now_ms) if reaches(each.budget.name, each.scope)]
    if name is not None:
        wanted = name.casefold()
        measured = [
            each
            for each in measured
            if wanted in {each.budget.name.casefold(), title_of(each.budget.name, each.scope).casefold()}
        ]
    by_key = {(each.budget_id, each.scope_id): each for each in measured}
    windows = {key: bounds_ms(each.period, each.budget.timezone) for key, each in by_key.items()}
    found = collect(view, windows, accruals(view, now_ms), now_ms)
    best: dict[int, RunCost] = {}
    for key, evidence in found.items():
        standing = by_key[key]
        shares = evidence.top(limit)
        for share, run in zip(shares, describer.runs(view, shares), strict=True):
            cost = RunCost(
                run.run_uuid,
                run.name,
                standing.budget.name,
                standing.scope,
                run.machine,
                run.running,
                standing.budget.currency,
                run.cost_nanos,
                run.per_hour_nanos,
                run.url,
                run.stale_nanos,
            )
            if share.run_id not in best or best[share.run_id].cost_nanos < cost.cost_nanos:
                best[share.run_id] = cost
    return sorted(best.values(), key=lambda each: (-each.cost_nanos, each.name))[:limit]


def status_json(view: View, now_ms: int, *, name: str | None = None) -> Json:
    """Return the body of ``status --json``: amounts are decimal strings."""
    fresh = freshness(view)
    rows = budget_status(view, now_ms)
    return {
        "as_of": iso(fresh.as_of_ms) if fresh.as_of_ms is not None else None,
        "stale": fresh.stale,
        "coverage": coverage_json(measure(view, now_ms)),
        "budgets": [
            {
                "budget": row.budget,
                "scope": dict(row.scope),
                "period": {"kind": row.period_kind, "start": row.period_start, "end": row.period_end},
                "currency": row.currency,
                "amount": plain(row.amount_nanos),
                "spent": plain(row.spent_nanos),
                "settled": plain(row.settled_nanos),
                "accruing": plain(row.accruing_nanos),
                "percent": float(row.percent),
                "forecast": plain(row.forecast_nanos) if row.forecast_nanos is not None else None,
                "runs": row.runs,
                "restated": [_restated_json(each) for each in row.restated],
            }
            for row in (rows if name is None else named(rows, name))
        ],
    }


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
                "acknowledged_by": each.acknowledged_by or None,
                "note": each.note or None,
                "deliveries": [
                    {"receiver": way.receiver, "kind": way.kind, "state": way.state, "attempts": way.attempts}
                    for way in each.deliveries
                ],
            }
            for each in alert_views(view, everything=everything)
        ]
    }


_BUDGETS = "SELECT id, name, spec FROM budget"


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


def run_json(run: RunCost) -> Json:
    """Return one run of ``top --json``."""
    return {
        "run_id": run.run_uuid,
        "name": run.name,
        "budget": run.budget,
        "scope": dict(run.scope),
        "machine": run.machine,
        "running": run.running,
        "currency": run.currency,
        "cost": plain(run.cost_nanos),
        "per_hour": plain(run.per_hour_nanos),
        "suspected_stale": plain(run.stale_nanos),
        "url": run.url or None,
    }


def _restated_json(each: Restatement) -> Json:
    return {
        "period_start": each.period.start.isoformat(),
        "period_end": each.period.end.isoformat(),
        "closed_at": iso(each.closed_ms),
        "spent_when_closed": plain(each.before_nanos),
        "spent": plain(each.after_nanos),
        "restated": plain(each.nanos),
    }


def _status(standing: Standing, runs: int, restated: Sequence[Restatement], *, stale: bool) -> BudgetStatus:
    budget, spend = standing.budget, standing.spend
    return BudgetStatus(
        budget=budget.name,
        scope=standing.scope,
        period_kind=standing.period.kind.value,
        period=standing.period.label(),
        period_start=standing.period.start.isoformat(),
        period_end=standing.period.end.isoformat(),
        timezone=budget.timezone,
        currency=budget.currency,
        amount_nanos=standing.amount,
        spent_nanos=spend.spent,
        settled_nanos=spend.settled,
        accruing_nanos=spend.accruing,
        percent=percent_of(spend.spent, standing.amount),
        forecast_nanos=standing.forecast.total if standing.forecast else None,
        runs=runs,
        stale=stale,
        suspected_nanos=spend.suspected,
        restated=restated,
    )


def _alert_view(
    alert: StoredAlert,
    budget: StoredBudget,
    names: Mapping[tuple[int, int], tuple[tuple[str, str], ...]],
    state: AlertState,
    told: Sequence[DeliveryView],
) -> AlertView:
    held = state.status in {AlertStatus.ACKNOWLEDGED, AlertStatus.SNOOZED}
    return AlertView(
        id=alert.public_id,
        budget=budget.name,
        scope=names[alert.budget_id, alert.scope_id],
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
        until=state.until,
        note=state.note,
        deliveries=tuple(told),
        run=alert.subject,
    )
