"""Periods that are over: what they had come to when they closed, and by how much that was restated since.

A correction, or a run that came late, changes the total of its period whenever it comes. In a period that is over it
fires and resolves nothing; it is shown as the difference to the total that the alerts went by.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from alerter.core.periods import Period, bounds_ms, last_closed
from alerter.core.views import Restatement
from alerter.spending import Accruing, accruals, by_budget
from alerter.store.closings import Closing, close, closed_totals, closings, is_closed, settled_totals
from alerter.store.totals import Share, View

log = logging.getLogger(__name__)

SHOWN = 3
"""Closed periods of a budget that are looked at: the last three months of a monthly one."""

Counted = Sequence[tuple[Accruing, Share]]
"""The running runs that a budget counts."""


def close_periods(view: View, through_ms: int) -> int:
    """Note the totals of periods that are over and not noted yet; returns how many. Else it is one look a budget.

    Call it when the budgets were evaluated, in the same transaction: these are the totals that the last alerts went by.
    Every source was read up to ``through_ms``.
    """
    due = [
        (budget_id, period)
        for budget_id, budget in view.budgets.items()
        if (period := last_closed(budget.period, budget.timezone, through_ms)) is not None
        and not is_closed(view.connection, budget_id, period.start.toordinal())
    ]
    counted = by_budget(view, accruals(view, through_ms)) if due else {}
    for budget_id, period in due:
        totals = _totals(view, budget_id, period, counted.get(budget_id, ()))
        close(view.connection, budget_id, period, through_ms, totals)
        log.info("period closed budget=%r period=%s scopes=%d", view.budgets[budget_id].name, period.start, len(totals))
    return len(due)


def restatements(view: View, now_ms: int) -> dict[tuple[int, int], list[Restatement]]:
    """Return by how much the last closed periods changed since they closed, by (budget id, scope id), newest first."""
    found: dict[tuple[int, int], list[Restatement]] = {}
    counted = by_budget(view, accruals(view, now_ms))
    for budget_id in view.budgets:
        for closing in closings(view.connection, budget_id, SHOWN):
            changed = _changed(view, budget_id, closing, counted.get(budget_id, ()))
            for scope_id, restatement in changed.items():
                found.setdefault((budget_id, scope_id), []).append(restatement)
    return found


def restatement_of(view: View, budget_id: int, scope_id: int, first_day: int, now_ms: int) -> Restatement | None:
    """Return by how much one scope's period changed since it closed; None where it didn't, or is still open."""
    closed = [each for each in closings(view.connection, budget_id) if each.period.start.toordinal() == first_day]
    if not closed:
        return None
    counted = by_budget(view, accruals(view, now_ms)).get(budget_id, ())
    return _changed(view, budget_id, closed[0], counted).get(scope_id)


def _changed(view: View, budget_id: int, closing: Closing, counted: Counted) -> dict[int, Restatement]:
    before = closed_totals(view.connection, closing.id)
    after = _totals(view, budget_id, closing.period, counted)
    return {
        scope_id: Restatement(closing.period, closing.at_ms, before.get(scope_id, 0), after.get(scope_id, 0))
        for scope_id in sorted(before.keys() | after.keys())
        if before.get(scope_id, 0) != after.get(scope_id, 0)
    }


def _totals(view: View, budget_id: int, period: Period, counted: Counted) -> dict[int, int]:
    """Return what each scope spent in a period, what still accrues included."""
    totals = settled_totals(view.connection, budget_id, period)
    start_ms, end_ms = bounds_ms(period, view.budgets[budget_id].timezone)
    for run, share in counted:
        totals[share.scope_id] = totals.get(share.scope_id, 0) + run.nanos(start_ms, end_ms, share)
    return totals
