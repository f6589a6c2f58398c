"""Runs that have passed their limit, and whose alerts don't say so, or say so no longer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from alerter.briefing import Moment
from alerter.core.alerts import PERIOD_CLOSED
from alerter.core.budgets import Basis, Budget, Threshold
from alerter.core.decisions import Reason, Situation, Told as Known
from alerter.core.evaluation import RunAlert, evaluate_run
from alerter.core.periods import PeriodKind
from alerter.core.rules import Mode
from alerter.evaluate import Standing, standings
from alerter.evidence import RunShare, run_facts
from alerter.run_alerts.costs import RunKey
from alerter.store.alerts import FIRING, StoredAlert, load_alerts
from alerter.store.holds import Hold, run_holds
from alerter.store.totals import View

LIMIT = Threshold(Basis.RUN, 100)
"""What every alert of a single run has for a threshold."""


@dataclass(frozen=True, slots=True)
class _News:
    """A run that is over its limit in one scope; ``earlier`` is its last alert there, or None.

    Its alert does not say so, nobody was told of it, or ``hold``, which kept it quiet, is over.
    """

    key: RunKey
    subject: str
    limit: int
    earlier: StoredAlert | None
    hold: Hold | None


@dataclass(frozen=True, slots=True)
class Over:
    """A run that has cost more than its limit in one scope; ``earlier`` is its last alert there, or None.

    ``hold`` kept that alert quiet, and is over.
    """

    standing: Standing
    run: RunShare
    subject: str
    limit: int
    earlier: StoredAlert | None
    hold: Hold | None

    def situation(self, moment: Moment) -> Situation:
        """Return what the decision to tell it depends on."""
        budget = self.standing.budget
        return Situation(
            now_ms=moment.now_ms,
            zone=budget.timezone,
            rules=budget.rules,
            told=self._known(),
            actual=LIMIT.percent,
            forecast=0,
            spent=self.run.cost,
            amount=self.limit,
            hold=self.hold.terms if self.hold else None,
            opening=moment.opening,
        )

    def _known(self) -> Known:
        if self.earlier is None:
            return Known()
        if self.earlier.reason == Reason.OBSERVED:
            return Known(silence=Reason.OBSERVED)
        return Known(actual=LIMIT.percent if self.hold else 0, told_ms=self.earlier.fired_ms)

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
            percent=LIMIT.percent,
            status=FIRING,
            reason="",
            amount_nanos=self.limit,
            spent_nanos=self.run.cost,
            fired_ms=now_ms,
            resolved_ms=None,
            subject=self.subject,
        )


def runs_over(view: View, costs: Mapping[RunKey, RunShare], now_ms: int) -> Iterator[Over]:
    """Yield the runs that newly are over their limit, with what is known of them; most cycles there is none."""
    news = list(_news(view, costs, now_ms))
    measured = {}
    if news:
        keys = {each.key[:2] for each in news}
        measured = {(each.budget_id, each.scope_id): each for each in standings(view, now_ms, only=keys)}
    for each in news:
        standing = measured.get(each.key[:2])
        if standing is not None:  # else it is outside the budget's fixed dates
            yield Over(standing, costs[each.key], each.subject, each.limit, each.earlier, each.hold)


def _news(view: View, costs: Mapping[RunKey, RunShare], now_ms: int) -> Iterator[_News]:
    """Yield the runs that are over their limit, and of which there may be something to tell."""
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
    facts, holds = run_facts(view.connection, {run_id for *_, run_id in over}), run_holds(view.connection)
    for key, limit in over.items():
        uuid = facts[key[2]].run_uuid
        before = earlier.get((*key[:2], uuid))
        change = evaluate_run(costs[key].cost, limit, None if before is None else known_as(before))
        if change is not None:
            yield _News(key, uuid, limit, before, None)
        elif before is not None and before.status == FIRING:
            hold = holds.get((*key[:2], before.period_start, uuid))
            over_hold = hold if hold and hold.terms.is_over(now_ms, costs[key].cost, limit) else None
            if over_hold or _is_owed(view.budgets[key[0]], before):
                yield _News(key, uuid, limit, before, over_hold)


def _is_owed(budget: Budget, alert: StoredAlert) -> bool:
    """Whether nobody was told of an alert, because its budget was only observed until now."""
    return alert.reason == Reason.OBSERVED and budget.rules.mode is Mode.ENFORCE


def known_as(alert: StoredAlert) -> RunAlert:
    """Return what is known of a run by its last alert."""
    return RunAlert(alert.status == FIRING, alert.reason == PERIOD_CLOSED, alert.amount_nanos)
