"""Which alerts there must be, worked out anew from totals at each evaluation; it shares no code with the program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY = 86_400_000
NANO = 10**9

Scope = tuple[tuple[str, str], ...]
Totals = Mapping[tuple[str, Scope], Mapping[date, int]]
"""(budget, scope) -> nanos by local day."""

Key = tuple[str, Scope, str, int]
"""(budget, scope, first day of the period, percent)."""


@dataclass(frozen=True)
class Plan:
    """A budget as its author thinks of it; ``period`` gives first day and the day after the last one."""

    zone: str
    period: Callable[[date], tuple[date, date]]
    amount: Callable[[Scope], int]
    percents: tuple[int, ...] = (50, 100)
    rolling: bool = False
    beyond: int = 25


def a_day(day: date) -> tuple[date, date]:
    return day, day + timedelta(days=1)


def a_week(day: date) -> tuple[date, date]:
    while day.strftime("%a") != "Mon":
        day -= timedelta(days=1)
    return day, day + timedelta(days=7)


def a_month(day: date) -> tuple[date, date]:
    first = day.replace(day=1)
    return first, (first + timedelta(days=40)).replace(day=1)


def last_days(days: int) -> Callable[[date], tuple[date, date]]:
    return lambda day: (day - timedelta(days=days - 1), day + timedelta(days=1))


@dataclass
class Alarms:
    """The alerts so far: firing or resolved."""

    plans: Mapping[str, Plan]
    firing: dict[Key, bool] = field(default_factory=dict)
    closed: int | None = None

    def evaluate(self, totals: Totals, now: int, read: int) -> int:
        """Bring the alerts in line; return how many (budget, scope, period) crossed more than they had.

        ``read`` is up to when the server was read: a period that ended is looked at once more when it was read beyond
        its end, and then closes; after three days it closes anyway.
        """
        through = max(min(now, read), now - 3 * DAY)
        since = self.closed = through if self.closed is None else self.closed
        self.closed = max(since, through)
        told = 0
        for name, plan in self.plans.items():
            for day in _ended(plan, since, self.closed):
                told += self._look(name, plan, totals, day)
        for name, plan in self.plans.items():
            told += self._look(name, plan, totals, _day(plan.zone, now))
        for key in [key for key, fires in self.firing.items() if fires]:
            plan = self.plans[key[0]]
            over = plan.period(date.fromisoformat(key[2]))[1] <= _day(plan.zone, self.closed)
            if over and not plan.rolling:
                self.firing[key] = False
        return told

    def _look(self, name: str, plan: Plan, totals: Totals, day: date) -> int:
        start, end = plan.period(day)
        scopes = {scope for budget, scope in totals if budget == name} | {
            key[1] for key in self.firing if key[0] == name
        }
        return sum(self._scope(name, plan, scope, (start, end), totals) for scope in scopes)

    def _scope(self, name: str, plan: Plan, scope: Scope, days: tuple[date, date], totals: Totals) -> bool:
        spent = sum(n for day, n in totals.get((name, scope), {}).items() if days[0] <= day < days[1])
        amount = plan.amount(scope)
        reached = [percent for percent in plan.percents if spent * 100 >= percent * amount]
        used = spent * 100 // amount
        further = range(plan.percents[-1] + plan.beyond, used + 1, plan.beyond) if plan.beyond else ()
        due = [*reached, *list(further)[-40:]]
        start = days[0].isoformat()
        if plan.rolling:
            firing = [key[2] for key, fires in self.firing.items() if fires and key[:2] == (name, scope)]
            start = min(firing, default=(days[1] - timedelta(days=1)).isoformat())
        fresh = [percent for percent in due if not self.firing.get((name, scope, start, percent), False)]
        known = max(
            (key[3] for key, fires in self.firing.items() if fires and key[:3] == (name, scope, start)), default=0
        )
        for key, fires in self.firing.items():
            if fires and key[:3] == (name, scope, start) and spent * 100 < key[3] * amount:
                self.firing[key] = False
        self.firing.update({(name, scope, start, percent): True for percent in fresh})
        # Of thresholds far beyond only the last are recorded: a fall may show lower ones, which is no news.
        return max(fresh, default=0) > known


def _ended(plan: Plan, since: int, through: int) -> list[date]:
    """A day of each period that ended within ``(since, through]``, the last 31; a window that slides never ends."""
    found: list[date] = []
    day = plan.period(_day(plan.zone, through))[0] - timedelta(days=1)
    while not plan.rolling and len(found) < 31 and _midnight(plan.zone, plan.period(day)[1]) > since:
        found.append(day)
        day = plan.period(day)[0] - timedelta(days=1)
    return found[::-1]


def _midnight(zone: str, day: date) -> int:
    return round(datetime.combine(day, time(0), ZoneInfo(zone)).timestamp() * 1000)


def _day(zone: str, at_ms: int) -> date:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(zone)).date()
