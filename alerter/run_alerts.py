"""Single runs that cost more than one run of a budget may: told once each, while they run."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from alerter.briefing import Describer, Moment, days_left
from alerter.core.alerts import Alert
from alerter.core.budgets import Basis, Budget, Threshold
from alerter.core.decisions import Reason, Situation, Told as Known, decide
from alerter.core.evaluation import Change, RunAlert, evaluate_run
from alerter.core.periods import PeriodKind
from alerter.core.resolutions import COST_CORRECTED, LIMIT_REMOVED, PERIOD_CLOSED, limit_raised, reason_of
from alerter.core.rules import Mode
from alerter.core.usage import Meter
from alerter.core.views import title_of
from alerter.evaluate import Fired, Standing, standings
from alerter.evidence import RunShare, run_facts
from alerter.spending import accruals
from alerter.store import ledger, sources
from alerter.store.alerts import FIRING, StoredAlert, load_alerts, put_alert, resolve_alerts, set_reason
from alerter.store.bulk import select_in
from alerter.store.ended_runs import take_ended
from alerter.store.ledger import METERS
from alerter.store.outbox import request_update
from alerter.store.totals import View
from alerter.telling import Told

log = logging.getLogger(__name__)

_LIMIT = Threshold(Basis.RUN, 100)
_SETTLED = (
    "SELECT run_id, tag_set_id, meter, SUM(cost_nanos) FROM charge WHERE run_id IN {values} "
    "GROUP BY run_id, tag_set_id, meter"
)

_RunKey = tuple[int, int, int]
"""(budget id, scope id, run id)."""


@dataclass(frozen=True, slots=True)
class _News:
    """A run that is over its limit in one scope, and whose alert doesn't say so; ``earlier`` is its last, or None."""

    key: _RunKey
    subject: str
    limit: int
    earlier: StoredAlert | None


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
    known = _run_ids(view, firing)
    costs = _costs(view, [*ended, *known.values()], limited, moment.now_ms)
    fallen = [each for each in firing if _change(view, each, costs.get(_key_of(each, known))) is Change.RESOLVE]
    decided = _resolve(view, fallen, moment.now_ms)
    told = [_judge(view, each, describer, moment, decided) for each in _over(view, costs, moment.now_ms)]
    return [each for each in told if each is not None], decided


def _run_ids(view: View, firing: Sequence[StoredAlert]) -> dict[str, int]:
    """Return the ledger's ids of the runs that alerts are about, by MLflow's."""
    uuids = sorted({each.subject for each in firing})
    found: dict[str, int] = {}
    for source in sources.states(view.connection) if uuids else ():
        found |= {uuid: row.id for uuid, row in ledger.stored_runs(view.connection, source.id, uuids).items()}
    return found


def _costs(view: View, run_ids: Iterable[int], limited: Collection[int], now_ms: int) -> dict[_RunKey, RunShare]:
    """Return what each run has cost from its start, in each scope of a budget with a limit that counts it."""
    running = accruals(view, now_ms)
    shares = view.shares({run.tag_set_id for run in running})
    found: dict[_RunKey, RunShare] = {}
    for run in running:
        for share in shares[run.tag_set_id]:
            if share.budget_id in limited:
                each = found.setdefault((share.budget_id, share.scope_id, run.run_id), RunShare(run.run_id))
                each.running = True
                each.cost += run.nanos(run.start_ms, run.as_of_ms, share)
                each.per_hour += run.per_hour(share)
                each.stale += run.stale_nanos(run.as_of_ms, run.known_ms, share)
                each.logged += any(rate.meter is Meter.LOGGED for rate, _ in run.lines)
    ids = sorted({run_id for *_, run_id in found} | set(run_ids))
    rows = list(select_in(view.connection, _SETTLED, ids))
    shares = view.shares({row[1] for row in rows})
    for run_id, tag_set_id, meter, nanos in rows:
        for share in shares[tag_set_id]:
            if share.budget_id in limited and share.counts(METERS[meter]):
                each = found.setdefault((share.budget_id, share.scope_id, run_id), RunShare(run_id))
                each.cost += int(nanos)
                each.logged += METERS[meter] is Meter.LOGGED and nanos > 0
    return found


def _key_of(alert: StoredAlert, known: Mapping[str, int]) -> _RunKey:
    return alert.budget_id, alert.scope_id, known.get(alert.subject, 0)


def _change(view: View, alert: StoredAlert, run: RunShare | None) -> Change | None:
    budget = view.budgets.get(alert.budget_id)
    if budget is None:
        return None  # it closes with its budget
    return evaluate_run(run.cost if run else 0, budget.per_run_nanos, _known(alert))


def _known(alert: StoredAlert) -> RunAlert:
    return RunAlert(alert.status == FIRING, alert.reason == PERIOD_CLOSED, alert.amount_nanos)


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


@dataclass(frozen=True, slots=True)
class _Over:
    """A run that has cost more than its limit in one scope; ``earlier`` is its last alert there, or None."""

    standing: Standing
    run: RunShare
    subject: str
    limit: int
    earlier: StoredAlert | None

    def situation(self, moment: Moment) -> Situation:
        """Return what the decision to tell it depends on."""
        budget = self.standing.budget
        return Situation(
            now_ms=moment.now_ms,
            zone=budget.timezone,
            rules=budget.rules,
            told=self._known(),
            actual=_LIMIT.percent,
            forecast=0,
            spent=self.run.cost,
            amount=self.limit,
            opening=moment.opening,
        )

    def _known(self) -> Known:
        if self.earlier is None:
            return Known()
        if self.earlier.reason == Reason.OBSERVED:
            return Known(silence=Reason.OBSERVED)
        return Known(told_ms=self.earlier.fired_ms)

    def row(self, now_ms: int) -> StoredAlert:
        """Return its alert as it fires now."""
        period, earlier = self.standing.period, self.earlier
        start, end = period.start, period.end
        if period.kind is PeriodKind.ROLLING:  # from today on, for as long as today is within the window
            start = period.end - timedelta(days=1)
            end = start + (period.end - period.start)
        gone = earlier is None or earlier.reason == PERIOD_CLOSED or earlier.period_end <= start.isoformat()
        again = None if gone else earlier
        return StoredAlert(
            id=again.id if again else 0,
            public_id=again.public_id if again else "",
            budget_id=self.standing.budget_id,
            scope_id=self.standing.scope_id,
            period_start=again.period_start if again else start.isoformat(),
            period_end=again.period_end if again else end.isoformat(),
            basis=Basis.RUN,
            percent=_LIMIT.percent,
            status=FIRING,
            reason="",
            amount_nanos=self.limit,
            spent_nanos=self.run.cost,
            fired_ms=now_ms,
            resolved_ms=None,
            subject=self.subject,
        )


def _over(view: View, costs: Mapping[_RunKey, RunShare], now_ms: int) -> Iterator[_Over]:
    """Yield the runs that newly are over their limit, with what is known of them; most cycles there is none."""
    news = list(_news(view, costs))
    measured = {}
    if news:
        keys = {each.key[:2] for each in news}
        measured = {(each.budget_id, each.scope_id): each for each in standings(view, now_ms, only=keys)}
    for each in news:
        standing = measured.get(each.key[:2])
        if standing is not None:  # else it is outside the budget's fixed dates
            yield _Over(standing, costs[each.key], each.subject, each.limit, each.earlier)


def _news(view: View, costs: Mapping[_RunKey, RunShare]) -> Iterator[_News]:
    """Yield the runs that are over their limit and whose alert doesn't say so already."""
    over = {}
    for key, run in sorted(costs.items()):
        limit = view.budgets[key[0]].per_run_nanos
        if limit is not None and run.cost >= limit:
            over[key] = limit
    if not over:
        return
    earlier = {}
    for budget_id, scope_id in sorted({key[:2] for key in over}):
        where = "budget_id = ? AND scope_id = ? AND subject <> ''"
        for alert in load_alerts(view.connection, where, budget_id, scope_id):  # of a run the newest stays
            earlier[budget_id, scope_id, alert.subject] = alert
    facts = run_facts(view.connection, {run_id for *_, run_id in over})
    for key, limit in over.items():
        uuid = facts[key[2]].run_uuid
        before = earlier.get((*key[:2], uuid))
        change = evaluate_run(costs[key].cost, limit, None if before is None else _known(before))
        if change is not None or (before is not None and _is_owed(view.budgets[key[0]], before)):
            yield _News(key, uuid, limit, before)


def _is_owed(budget: Budget, alert: StoredAlert) -> bool:
    """Whether an alert fires that nobody was told of, because the budget was only observed until now."""
    return alert.status == FIRING and alert.reason == Reason.OBSERVED and budget.rules.mode is Mode.ENFORCE


def _judge(view: View, over: _Over, describer: Describer, moment: Moment, decided: Counter[str]) -> Told | None:
    """Let a run's alert fire if it is time to, count why, and return what is told; None if nothing is."""
    decision = decide(over.situation(moment))
    if decision.reason is Reason.BELOW_MIN:
        return None  # told once it costs so much
    decided[decision.reason.value] += 1
    row = put_alert(view.connection, over.row(moment.now_ms))
    row = replace(row, reason=decision.reason.value)
    set_reason(view.connection, [row], row.reason)
    request_update(view.connection, [row.id])  # a message of it, if there is one, still says "resolved"
    log.info("run alert id=%s run=%s reason=%r", row.public_id, row.subject, row.reason)
    if not decision.tells:
        return None
    fired = Fired(over.standing, (row,), (_LIMIT,), decision.reason, f"run.{row.id}.{row.fired_ms}")
    return fired, _alert(view, fired, over.run, describer, moment)


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
        percent=_LIMIT.percent,
        crossed=(str(_LIMIT),),
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
