"""Single runs that cost more than one run of a budget may: told once each, while they run."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from alerter.briefing import Describer, Moment, days_left
from alerter.core.alerts import Alert
from alerter.core.budgets import Basis, Budget
from alerter.core.decisions import Reason, decide
from alerter.core.evaluation import Change, evaluate_run
from alerter.core.resolutions import COST_CORRECTED, LIMIT_REMOVED, limit_raised, reason_of
from alerter.core.views import title_of
from alerter.evaluate import Fired, close_hold
from alerter.evidence import RunShare
from alerter.run_alerts.costs import key_of, run_costs, run_ids
from alerter.run_alerts.over import LIMIT, Over, known_as, runs_over
from alerter.store.alerts import FIRING, StoredAlert, load_alerts, put_alert, resolve_alerts, set_reason
from alerter.store.ended_runs import take_ended
from alerter.store.outbox import request_update
from alerter.store.totals import View
from alerter.telling import Told

log = logging.getLogger(__name__)


def judge_runs(view: View, describer: Describer, moment: Moment) -> tuple[list[Told], Counter[str]]:
    """Bring the alerts of single runs in line with what each has cost.

    Return what is to be told, and how often it was decided so for which reason.
    Looked at are the runs that accrue, those that ended since the last evaluation, and those whose alert fires.
    """
    ended = take_ended(view.connection)
    firing = load_alerts(view.connection, "status = ? AND subject <> ''", FIRING)
    limited = {key for key, budget in view.budgets.items() if budget.per_run_nanos is not None}
    if not limited and not firing:
        return [], Counter()
    known = run_ids(view, firing)
    costs = run_costs(view, [*ended, *known.values()], limited, moment.now_ms)
    fallen = [each for each in firing if _change(view, each, costs.get(key_of(each, known))) is Change.RESOLVE]
    decided = _resolve(view, fallen, moment.now_ms)
    told = []
    for over in runs_over(view, costs, moment.now_ms):
        fired = _judge(view, over, moment, decided)
        if fired is not None:
            told.append((fired, _alert(view, fired, over.run, describer, moment)))
    return told, decided


def _change(view: View, alert: StoredAlert, run: RunShare | None) -> Change | None:
    budget = view.budgets.get(alert.budget_id)
    if budget is None:
        return None  # it closes with its budget
    return evaluate_run(run.cost if run else 0, budget.per_run_nanos, known_as(alert))


def _resolve(view: View, alerts: Sequence[StoredAlert], now_ms: int) -> Counter[str]:
    words: dict[str, list[StoredAlert]] = defaultdict(list)
    for alert in alerts:
        words[_why(view.budgets[alert.budget_id], alert)].append(alert)
    for why, each in words.items():
        resolve_alerts(view.connection, each, why, now_ms)
        request_update(view.connection, [alert.id for alert in each])
        log.info("run alerts resolved ids=%s reason=%r", [alert.public_id for alert in each], why)
    return Counter({reason_of(why).value: len(each) for why, each in words.items()})


def _why(budget: Budget, alert: StoredAlert) -> str:
    limit = budget.per_run_nanos
    if limit is None:
        return LIMIT_REMOVED
    return limit_raised(limit, budget.currency) if limit > alert.amount_nanos else COST_CORRECTED


def _judge(view: View, over: Over, moment: Moment, decided: Counter[str]) -> Fired | None:
    """Let a run's alert fire if it is time to, or end what kept it quiet; count why, and return what is to be told."""
    decision, now_ms = decide(over.situation(moment)), moment.now_ms
    if decision.reason is Reason.BELOW_MIN:
        return None  # told once it costs so much
    alert, hold = over.earlier, over.hold
    if alert is None or hold is None:
        row = put_alert(view.connection, over.row(now_ms))
    else:
        why, zone = decision.hold_ended or Reason.HOLD_ENDED, over.standing.budget.timezone
        close_hold(view, hold, why.value, now_ms, target=alert.public_id, zone=zone)
        row = replace(alert, spent_nanos=over.run.cost, amount_nanos=over.limit)
    request_update(view.connection, [row.id])  # its message, if there is one, still says "resolved", or who has it
    if hold is not None and not over.run.running:
        return None  # nobody can do anything about it any more
    decided[decision.reason.value] += 1
    row = replace(row, reason=decision.reason.value)
    set_reason(view.connection, [row], row.reason)
    log.info("run alert id=%s run=%s reason=%r", row.public_id, row.subject, row.reason)
    if not decision.tells:
        return None
    told_ms = row.fired_ms if hold is None else now_ms
    return Fired(over.standing, (row,), (LIMIT,), decision.reason, f"run.{row.id}.{told_ms}")


def _alert(view: View, fired: Fired, run: RunShare, describer: Describer, moment: Moment) -> Alert:
    standing, budget, row = fired.standing, fired.standing.budget, fired.told
    evidence = describer.runs(view, [run])
    return Alert(
        id=row.public_id,
        budget=budget.name,
        title=title_of(budget.name, standing.scope),
        scope=standing.scope,
        timezone=budget.timezone,
        period=standing.period.label(),
        period_start=row.period_start,
        period_end=row.period_end,
        basis=Basis.RUN,
        percent=LIMIT.percent,
        crossed=(str(LIMIT),),
        currency=budget.currency,
        amount_nanos=row.amount_nanos,
        spent_nanos=row.spent_nanos,
        accruing_nanos=0,
        as_of_ms=moment.as_of_ms,
        days_left=days_left(standing.period.end, budget.timezone, moment.now_ms),
        reason=fired.reason.value,
        top=tuple(evidence),
        coverage_shown=False,
        stale_nanos=run.stale,
        owner=budget.owner_of(standing.scope),
        stale=moment.stale,
        page_url=f"{describer.links.page}#{row.public_id}" if describer.links.page else "",
        budget_amount_nanos=standing.amount,
        budget_spent_nanos=standing.spend.spent,
    )
