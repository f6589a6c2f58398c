"""Which thresholds a scope's costs would have crossed, and when: found in the lines themselves, to the ms."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import accumulate, pairwise

from alerter.core.budgets import Basis, Budget, Scope, Threshold
from alerter.core.charges import ChargeLine, burn
from alerter.core.evaluation import AlertKey, Level, due_thresholds, key_of
from alerter.core.forecast import Forecast, Trend, forecast
from alerter.core.periods import HOUR_MS, Period, PeriodKind, bounds_ms, day_edges, day_of, midnight_ms, period_on

RECENT_DAYS = 8
"""Today and the seven local days before it: what a forecast is made from."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """A threshold that was reached.

    Attributes:
        period: the budget's period; of a rolling one the window as it was that day.
        at_ms: the first instant at which it was reached (of a forecast: the first full hour), epoch ms.
        spent, amount: then, in nanos.
        forecast: for the period's end, in nanos; None for an actual threshold.
    """

    period: Period
    threshold: Threshold
    at_ms: int
    spent: int
    amount: int
    forecast: int | None = None


@dataclass(slots=True)
class _Day:
    """The lines that touch one local day, and their cost on it in nanos; by the hour only where that is asked for."""

    start_ms: int
    end_ms: int
    lines: list[ChargeLine] = field(default_factory=list)
    total: int = 0
    _until: dict[int, int] = field(default_factory=dict)

    @property
    def edges(self) -> list[int]:
        """The instants at which its hours begin, and its end."""
        return [*range(self.start_ms, self.end_ms, HOUR_MS), self.end_ms]

    def until(self, at_ms: int) -> int:
        """Return the cost from midnight up to an instant, in nanos."""
        if at_ms == self.end_ms:
            return self.total
        found = self._until.get(at_ms)
        if found is None:
            found = self._until[at_ms] = sum(
                line.cost_until(at_ms) - (line.cost_until(self.start_ms) if line.start_ms < self.start_ms else 0)
                for line in self.lines
                if line.start_ms < at_ms
            )
        return found

    def reached_ms(self, nanos: int, between: tuple[int, int]) -> int:
        """Return the first instant at which the day's cost is at least ``nanos``: it reaches that between two edges."""
        first, last = between
        near = [line for line in self.lines if line.start_ms < last and line.end_ms > first]
        before = sum(line.cost_until(first) for line in near)
        return _first_reaching(near, before + nanos - self.until(first), between)

    def burn_at(self, at_ms: int) -> int:
        """Return what the machines that were running at an instant cost an hour, in nanos."""
        return sum(_burn(line) for line in self.lines if line.start_ms <= at_ms < line.end_ms)

    def highest_burn(self) -> int:
        """Return the most that the machines that were running at once cost an hour, in nanos."""
        steps = [step for line in self.lines for step in ((line.start_ms, _burn(line)), (line.end_ms, -_burn(line)))]
        return max(accumulate((change for _, change in sorted(steps)), initial=0))


def _burn(line: ChargeLine) -> int:
    return burn(line.rate, line.quantity, (line.start_ms, line.end_ms))


def replay(budget: Budget, scope: Scope, lines: Iterable[ChargeLine], window: tuple[int, int]) -> list[Crossing]:
    """Return the thresholds that a scope's lines cross from ``start`` to ``end`` (both included), in order of time.

    A threshold that falls below its level, as those of a rolling budget or of a raised amount may, counts again when
    it is reached again. A forecast threshold is looked at on every full hour, and counts once a period.

    Args:
        budget: whose amounts, period, thresholds and time zone hold.
        scope: which of its scopes.
        lines: the charges that count for it, without those that were reversed; they begin with the period, or eight
            days, before ``start``.
        window: start and end in epoch ms.
    """
    return sorted(_Replay(budget, scope, _by_day(lines, budget.timezone), window).crossings(), key=_order)


def needed_since_ms(budget: Budget, start_ms: int) -> int:
    """Return from when on lines are needed for a `replay` from ``start`` on."""
    zone = budget.timezone
    day = day_of(zone, start_ms)
    first = day - RECENT_DAYS
    for each in (day - 1, day):
        period = period_on(budget.period, date.fromordinal(each))
        first = min(first, period.start.toordinal()) if period else first
    return midnight_ms(zone, first)


def _first_reaching(lines: Sequence[ChargeLine], nanos: int, between: tuple[int, int]) -> int:
    """Return the first instant at which lines together cost ``nanos``: after the first one given, by the last one."""
    low, high = between
    below, above = (sum(line.cost_until(at_ms) for line in lines) for at_ms in between)
    halve = False
    while high - low > 1:
        # Cost grows evenly between the ends of lines: where it should be is close, if it is not there.
        guess = low + (high - low) // 2 if halve else low + (nanos - below) * (high - low) // max(above - below, 1)
        at_ms = min(max(guess, low + 1), high - 1)
        cost, span = sum(line.cost_until(at_ms) for line in lines), high - low
        if cost >= nanos:
            high, above = at_ms, cost
        else:
            low, below = at_ms, cost
        halve = high - low > span // 2
    return high


def _order(crossing: Crossing) -> tuple[int, AlertKey]:
    return crossing.at_ms, key_of(crossing.threshold)


def _by_day(lines: Iterable[ChargeLine], zone: str) -> dict[int, _Day]:
    days: dict[int, _Day] = {}
    for line in lines:
        before = 0
        for day, until in day_edges(zone, line.start_ms, line.end_ms):
            found = days.get(day)
            if found is None:
                found = days[day] = _Day(midnight_ms(zone, day), midnight_ms(zone, day + 1))
            found.lines.append(line)
            after = line.cost_until(until)
            found.total += after - before
            before = after
    return days


class _Replay:
    """One scope, walked day by day."""

    def __init__(self, budget: Budget, scope: Scope, days: dict[int, _Day], window: tuple[int, int]) -> None:
        self._budget, self._scope, self._days, self._window = budget, scope, days, window
        self._totals = defaultdict(int, {day: each.total for day, each in days.items()})
        self._forecasts = [each for each in budget.thresholds if each.basis is Basis.FORECAST]
        self._firing: set[AlertKey] = set()
        self._found: list[Crossing] = []

    def crossings(self) -> list[Crossing]:
        """Walk over every day of the window; what was reached by the eve of its first day is known already."""
        zone, (start_ms, end_ms) = self._budget.timezone, self._window
        if start_ms > end_ms:
            return []
        first, before = day_of(zone, start_ms), None
        for day in range(first - 1, day_of(zone, end_ms) + 1):
            period = period_on(self._budget.period, date.fromordinal(day))
            if period is None:
                before = None
                continue
            if before is None or (period != before and period.kind is not PeriodKind.ROLLING):
                self._firing = set()
            before = period
            self._walk(day, period)
        return [each for each in self._found if start_ms <= each.at_ms <= end_ms]

    def _walk(self, day: int, period: Period) -> None:
        amount = self._budget.amount_on(self._scope, date.fromordinal(day))
        base = sum(self._totals[each] for each in range(period.start.toordinal(), day) if each in self._totals)
        at_ms = midnight_ms(self._budget.timezone, day)
        reached = self._due(Level(amount, base, None))
        # A rolling window forgets its first day at midnight; an amount may change then too.
        known = {key_of(each) for each in reached}
        self._firing = {key for key in self._firing if key in known or key.basis is Basis.FORECAST}
        for threshold in reached:
            self._fire(Crossing(period, threshold, at_ms, base, amount))
        held = self._days.get(day)
        if held is not None:
            self._spend(held, period, base, amount)
        if self._forecasts and period.kind is not PeriodKind.ROLLING:
            self._look_ahead(day, period, base, amount)

    def _spend(self, held: _Day, period: Period, base: int, amount: int) -> None:
        """Tell what a day's spending reached; by the hour, since of a tiny budget only the last steps are recorded.

        Cost only grows within a day: where nothing new is reached by an hour, nothing was by those before it.
        """
        edges = held.edges
        ahead = [(0, len(edges) - 1)]
        while ahead:
            first, last = ahead.pop()
            due = self._due(Level(amount, base + held.until(edges[last]), None))
            new = [each for each in due if key_of(each) not in self._firing]
            if new and last - first > 1:
                middle = (first + last) // 2
                ahead += [(middle, last), (first, middle)]
                continue
            for threshold in new:
                level = -(-threshold.percent * amount // 100)
                at_ms = held.reached_ms(level - base, (edges[first], edges[last]))
                self._fire(Crossing(period, threshold, at_ms, level, amount))

    def _due(self, level: Level) -> Sequence[Threshold]:
        return due_thresholds(self._budget.thresholds, self._budget.beyond, level)

    def _fire(self, crossing: Crossing) -> None:
        key = key_of(crossing.threshold)
        if key not in self._firing:
            self._firing.add(key)
            self._found.append(crossing)

    def _look_ahead(self, day: int, period: Period, base: int, amount: int) -> None:
        """Evaluate the forecast on every full hour of a day, as long as some threshold of it has not fired."""
        zone = self._budget.timezone
        if not base and not any(day - ago in self._days for ago in range(RECENT_DAYS)):
            return  # nothing was spent that a forecast could go by
        held = self._days.get(day) or _Day(midnight_ms(zone, day), midnight_ms(zone, day + 1))
        if not self._may_fire(self._highest_forecast(day, period, base, held), amount):
            return
        for at_ms, until_ms in pairwise(held.edges):
            if at_ms > self._window[1] or not self._waiting():
                return
            if until_ms < self._window[0]:
                continue
            made = self._forecast(day, period, base, held, at_ms)
            if made is not None:
                for threshold in self._may_fire(made, amount):
                    self._fire(Crossing(period, threshold, at_ms, made.spent, amount, made.total))

    def _waiting(self) -> list[Threshold]:
        return [each for each in self._forecasts if key_of(each) not in self._firing]

    def _may_fire(self, made: Forecast | None, amount: int) -> list[Threshold]:
        return due_thresholds(self._waiting(), 0, Level(amount, made.spent, made.total)) if made else []

    def _forecast(self, day: int, period: Period, base: int, held: _Day, at_ms: int) -> Forecast | None:
        today = held.until(at_ms)
        start_ms, end_ms = bounds_ms(period, self._budget.timezone)
        trend = self._trend(day, base, today, held.burn_at(at_ms), at_ms)
        return forecast(trend, start_ms=start_ms, end_ms=end_ms, now_ms=at_ms)

    def _highest_forecast(self, day: int, period: Period, base: int, held: _Day) -> Forecast | None:
        """Return more than any forecast of a day can be: all of its cost at once, and all of the period still ahead."""
        _, end_ms = bounds_ms(period, self._budget.timezone)
        trend = self._trend(day, base, held.total, held.highest_burn(), held.start_ms)
        return forecast(trend, start_ms=2 * held.start_ms - end_ms, end_ms=end_ms, now_ms=held.start_ms)

    def _trend(self, day: int, base: int, today: int, per_hour: int, at_ms: int) -> Trend:
        first = day - RECENT_DAYS + 1
        days = tuple(today if each == day else self._totals.get(each, 0) for each in range(first, day + 1))
        return Trend(base + today, per_hour, days, at_ms - midnight_ms(self._budget.timezone, first))
