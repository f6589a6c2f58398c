"""What people ask: where budgets stand, which runs cost most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from alerter.briefing import Describer
from alerter.collecting import collect
from alerter.components import MACHINES, OTHERS, spent_beside_machines, tokens_without_price
from alerter.core.budgets import Reach, everything
from alerter.core.money import plain
from alerter.core.periods import bounds_ms, iso
from alerter.core.views import BudgetStatus, Restatement, RunCost, percent_of, title_of
from alerter.coverage import coverage_json, measure
from alerter.evaluate import Standing, standings
from alerter.restatements import restatements
from alerter.run_counts import run_counts
from alerter.run_time import time_of_scopes
from alerter.spending import accruals
from alerter.store import sources
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
    counts, unpriced = run_counts(view, windows, runs)
    times = time_of_scopes(view, windows, runs, unpriced)
    fresh = freshness(view)
    restated = restatements(view, now_ms)
    beside = spent_beside_machines(view, windows, runs)
    tokens = tokens_without_price(view, windows)
    found = []
    for each in measured:
        key = (each.budget_id, each.scope_id)
        told = _status(each, counts.get(key, 0), restated.get(key, ()), beside.get(key, {}), stale=fresh.stale)
        run_ms, unpriced_ms = times.get(key, (0, 0))
        row = replace(told, run_ms=run_ms, unpriced_ms=unpriced_ms, unpriced_tokens=tokens.get(key, 0))
        if fresh.as_of_ms is None:
            row = replace(row, forecast_nanos=None, forecast_band=None, forecast_day_nanos=None)
        if row.runs or row.spent_nanos or row.unpriced_tokens or row.restated or not row.scope:
            found.append(row)
    order = {budget.name: place for place, budget in enumerate(view.budgets.values())}
    return sorted(found, key=lambda each: (order[each.budget], -each.percent, each.title))


def named(rows: Sequence[BudgetStatus], name: str) -> list[BudgetStatus]:
    """Return the rows of one budget or one scope title, whatever its case."""
    wanted = name.casefold()
    return [row for row in rows if wanted in {row.budget.casefold(), row.title.casefold()}]


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
    found = collect(view, windows, accruals(view, now_ms), now_ms, keep=limit)
    best: dict[int, RunCost] = {}
    for key, evidence in found.items():
        standing = by_key[key]
        shares = evidence.top()
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
                "priced_percent": float(row.priced_percent),
                "unpriced_tokens": row.unpriced_tokens,
                "components": {name: plain(nanos) for name, nanos in row.components.items()},
                "restated": [_restated_json(each) for each in row.restated],
            }
            for row in (rows if name is None else named(rows, name))
        ],
    }


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


def _status(
    standing: Standing, runs: int, restated: Sequence[Restatement], beside: Mapping[str, int], *, stale: bool
) -> BudgetStatus:
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
        components={MACHINES: spend.spent - sum(beside.values())} | {each: beside.get(each, 0) for each in OTHERS},
        restated=restated,
        forecast_band=(standing.forecast.low, standing.forecast.high) if standing.forecast else None,
        forecast_day_nanos=standing.forecast.in_a_day if standing.forecast else None,
    )
