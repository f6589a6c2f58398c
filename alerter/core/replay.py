"""Which thresholds a scope's costs would have crossed, and when: found in the lines themselves, to the ms."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import accumulate

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
    """The lines that touch one local day, and their cost on it in nanos; by hour once that is asked for."""

    start_ms: int
    end_ms: int
    lines: list[ChargeLine] = field(default_factory=list)
    total: int = 0
    _edges: list[int] = field(default_factory=list)
    _until: list[int] = field(default_factory=list)

    def edges(self) -> list[int]:
        """Return the instants at which its hours begin, and its end."""
        self._measure()
        return self._edges

    def until(self, place: int) -> int:
        """Return the cost from midnight up to the edge at a place, in nanos."""
        self._measure()
        return self._until[place]

    def reached_ms(self, nanos: int) -> int:
        """Return the first instant at which the day's cost is at least ``nanos``, which it reaches; more than 0."""
        self._measure()
        place = bisect_left(self._until, nanos)
        first, last = self._edges[place - 1], self._edges[place]
        near = [line for line in self.lines if line.start_ms < last and line.end_ms > first]
        before = sum(line.cost_until(first) for line in near)
        return _first_reaching(near, before + nanos - self._until[place - 1], (first, last))

    def burn_at(self, at_ms: int) -> int:
        """Return what the machines that were running at an instant cost an hour, in nanos."""
        return sum(
            burn(line.rate, line.quantity, (line.start_ms, line.end_ms))
            for line in self.lines
            if line.start_ms <= at_ms < line.end_ms
        )

    def _measure(self) -> None:
        if self._edges:
            return
        self._edges = [*range(self.start_ms, self.end_ms, HOUR_MS), self.end_ms]
        hours = [0] * len(self._edges)
        for line in self.lines:
            since = max(line.start_ms, self.start_ms)
            until = min(line.end_ms, self.end_ms)
            before = line.cost_until(since)
            place = (since - self.start_ms) // HOUR_MS + 1
            while since < until:
                since = min(self._edges[place], until)
                after = line.cost_until(since)
                hours[place] += after - before
                before, place = after, place + 1
        self._until = list(accumulate(hours))


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
        since = line.start_ms
        for day, until in day_edges(zone, line.start_ms, line.end_ms):
            found = days.get(day)
            if found is None:
                found = days[day] = _Day(midnight_ms(zone, day), midnight_ms(zone, day + 1))
            found.lines.append(line)
            found.total += line.cost_until(until) - line.cost_until(since)
            since = until
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
        """Tell what a day's spending reached; by the hour, since of a tiny budget only the last steps are recorded."""
        for place in range(1, len(held.edges())):
            if held.until(place) == held.until(place - 1):
                continue
            for threshold in self._due(Level(amount, base + held.until(place), None)):
                if key_of(threshold) not in self._firing:
                    level = -(-threshold.percent * amount // 100)
                    self._fire(Crossing(period, threshold, held.reached_ms(level - base), level, amount))

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
        edges = held.edges()
        for place, at_ms in enumerate(edges[:-1]):
            waiting = [each for each in self._forecasts if key_of(each) not in self._firing]
            if not waiting or at_ms > self._window[1]:
                return
            if edges[place + 1] < self._window[0]:
                continue
            made = self._forecast(day, period, base, held, place)
            if made is None:
                continue
            level = Level(amount, made.spent, made.total)
            for threshold in due_thresholds(waiting, 0, level):
                self._fire(Crossing(period, threshold, at_ms, made.spent, amount, made.total))

    def _forecast(self, day: int, period: Period, base: int, held: _Day, place: int) -> Forecast | None:
        zone, at_ms, today = self._budget.timezone, held.edges()[place], held.until(place)
        first = day - RECENT_DAYS + 1
        days = tuple(today if each == day else self._totals.get(each, 0) for each in range(first, day + 1))
        trend = Trend(base + today, held.burn_at(at_ms), days, at_ms - midnight_ms(zone, first))
        start_ms, end_ms = bounds_ms(period, zone)
        return forecast(trend, start_ms=start_ms, end_ms=end_ms, now_ms=at_ms)
