"""Evaluate every budget against what is spent, and decide what must be told: one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from alerter.evaluate.closing import close, closed_through, ended_since, lingering
from alerter.evaluate.deciding import Fired, begin, close_hold, judge
from alerter.evaluate.episodes import alerts_since, episodes_of
from alerter.evaluate.measuring import Standing, current_periods, make_forecast, standings, stirring
from alerter.spending import accruals, by_budget
from alerter.store.totals import View

__all__ = ["Evaluated", "Fired", "Standing", "close_hold", "evaluate_all", "make_forecast", "standings"]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What an evaluation found.

    Attributes:
        fired: what is to be told.
        decisions: how often it decided for which reason, where something is told or a silence began.
        through_ms: periods that end up to then are closed.
    """

    fired: tuple[Fired, ...]
    decisions: Mapping[str, int]
    through_ms: int


def evaluate_all(view: View, *, now_ms: int, before_ms: int | None, read_ms: int | None = None) -> Evaluated:
    """Bring the alerts in line with the spending and return what is to be told.

    ``before_ms`` is the last evaluation, ``read_ms`` up to when every source was read (default: now). A period that
    ended is evaluated once more when every source was read beyond its end, and then closes.
    """
    since_ms, through_ms = closed_through(view, now_ms, before_ms, now_ms if read_ms is None else read_ms)
    ended = ended_since(view, since_ms, through_ms)
    waiting = lingering(view, through_ms, ended)
    past, current = [*ended, *waiting], current_periods(view, now_ms)
    known = alerts_since(view, [*past, *current])
    counted = by_budget(view, accruals(view, now_ms))
    episodes = episodes_of(stirring(view, past, counted, known, now_ms), known, closed=True)
    episodes += episodes_of(stirring(view, current, counted, known, now_ms, again=True), known)
    work = begin(view, episodes, now_ms, opening=before_ms is None)
    settled = set(waiting)
    for each in episodes:
        # Late corrections to a period that was closed neither fire nor resolve.
        late = each.closed and (each.standing.budget_id, each.standing.period) in settled
        judge(work, each, [] if late else each.changes())
    close(work, through_ms)
    work.save()
    return Evaluated(tuple(work.fired), {each.value: count for each, count in work.decided.items()}, through_ms)
