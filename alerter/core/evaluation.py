"""Level-triggered evaluation: what should be firing, given what is spent, and what that changes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from alerter.core.budgets import Basis, Threshold

_STEPS = 40
"""Of the thresholds beyond the highest configured one, so many are recorded at once: a tiny budget has thousands."""


class Change(StrEnum):
    """What an evaluation does to one alert."""

    FIRE = "fire"
    REOPEN = "reopen"
    RESOLVE = "resolve"


@dataclass(frozen=True, slots=True, order=True)
class AlertKey:
    """What an alert is unique by within one budget, scope and period."""

    basis: Basis
    percent: int


@dataclass(frozen=True, slots=True)
class Level:
    """Spending against an amount, in nanos.

    ``forecast`` is None where none can be made; ``band`` is how far it may waver, either way, without news.
    """

    amount: int
    spent: int
    forecast: int | None
    band: int = 0


@dataclass(frozen=True, slots=True)
class Transition:
    """One alert's change, and the threshold that made it."""

    change: Change
    threshold: Threshold


def evaluate(
    thresholds: Collection[Threshold],
    beyond: int,
    level: Level,
    *,
    firing: Collection[AlertKey],
    resolved: Collection[AlertKey],
    moved: Collection[AlertKey] = (),
) -> list[Transition]:
    """Return the transitions that bring the alerts of one (budget, scope, period) in line with its level.

    ``firing`` and ``resolved`` are the alerts that exist; ``moved`` are those that fired for another amount. A forecast
    wavers: its alert resolves when the whole band is below the threshold, and re-opens when the whole band is above
    it. Sorted by basis and percent, so that the last firing transition names the highest threshold.
    """
    due = {key_of(each): each for each in due_thresholds(thresholds, beyond, level)}
    changes = []
    for key, threshold in due.items():
        if key in firing or (key in resolved and not _reached(threshold, level, -level.band)):
            continue
        change = Change.REOPEN if key in resolved else Change.FIRE
        changes.append(Transition(change, threshold))
    for key in firing:
        threshold = Threshold(key.basis, key.percent)
        unknown = key.basis is Basis.FORECAST and level.forecast is None
        # Another amount is somebody's decision: that the forecast is below it by little is no wavering.
        if not unknown and not _reached(threshold, level, 0 if key in moved else level.band):
            changes.append(Transition(Change.RESOLVE, threshold))
    return sorted(changes, key=lambda each: key_of(each.threshold))


@dataclass(frozen=True, slots=True)
class RunAlert:
    """The last alert of one run: whether it fires, or its period is closed, and the limit (nanos) it was told with."""

    firing: bool
    closed: bool
    limit: int


def evaluate_run(cost: int, limit: int | None, known: RunAlert | None) -> Change | None:
    """Return what a run's whole cost changes about its alert; ``limit`` is what one run may cost, None for no limit.

    A run is told once, however many periods it runs through; another limit, raised since, is another matter.
    """
    reached = limit is not None and cost >= limit
    if known is None:
        return Change.FIRE if reached else None
    if known.firing:
        return None if reached else Change.RESOLVE
    if known.closed:
        return Change.FIRE if reached and limit is not None and limit > known.limit else None
    return Change.REOPEN if reached else None


def reaches_any(thresholds: Collection[Threshold], level: Level) -> bool:
    """Whether any configured threshold is reached: if not, none beyond them is."""
    return any(_reached(each, level) for each in thresholds)


def due_thresholds(thresholds: Collection[Threshold], beyond: int, level: Level) -> list[Threshold]:
    """Return the thresholds that are reached, those beyond the highest configured one included."""
    due = [each for each in thresholds if _reached(each, level)]
    return due + [each for each in _further(thresholds, beyond, level) if _reached(each, level)]


def quiet_below(thresholds: Collection[Threshold], amount: int, basis: Basis) -> int | None:
    """Return the nanos from which on the first threshold of a basis is reached, or None if it has none."""
    lowest = min((each.percent for each in thresholds if each.basis is basis), default=None)
    return None if lowest is None else -(-lowest * amount // 100)


def next_threshold(thresholds: Collection[Threshold], beyond: int, level: Level) -> int | None:
    """Return the percent at which the next actual threshold is reached, or None."""
    ahead = [each.percent for each in thresholds if each.basis is Basis.ACTUAL and not _reached(each, level)]
    top = _top_actual(thresholds)
    if not ahead and beyond and top is not None and top.percent >= 100:  # as `_further` has it
        used = percent_floor(level.spent, level.amount)
        return top.percent + beyond * (max(used - top.percent, 0) // beyond + 1)
    return min(ahead, default=None)


def percent_floor(part: int, amount: int) -> int:
    """Return whole percent, rounded down: 99.99 % is 99."""
    return part * 100 // amount if amount > 0 else 0


def key_of(threshold: Threshold) -> AlertKey:
    """Return the key under which a threshold's alert is kept."""
    return AlertKey(threshold.basis, threshold.percent)


def _reached(threshold: Threshold, level: Level, leeway: int = 0) -> bool:
    """Whether a threshold is reached; a forecast with so many nanos more, but never less than is spent."""
    value: int | None = level.spent
    if threshold.basis is Basis.FORECAST:
        value = None if level.forecast is None else max(level.forecast + leeway, level.spent)
    return value is not None and value * 100 >= threshold.percent * level.amount


def _top_actual(thresholds: Collection[Threshold]) -> Threshold | None:
    return max((t for t in thresholds if t.basis is Basis.ACTUAL), key=lambda t: t.percent, default=None)


def _further(thresholds: Collection[Threshold], beyond: int, level: Level) -> list[Threshold]:
    top = _top_actual(thresholds)
    if not beyond or top is None or top.percent < 100:
        return []
    highest = percent_floor(level.spent, level.amount)
    steps = max(highest - top.percent, 0) // beyond
    first = max(1, steps - _STEPS + 1)
    return [
        Threshold(Basis.ACTUAL, top.percent + step * beyond, top.receivers, top.mention)
        for step in range(first, steps + 1)
    ]
