"""A month of polling in virtual time: told once, told again in a new period, never twice, whatever is restarted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.truth.alarms import Alarms, Plan, Totals, a_day, a_month, a_week, last_days
from tests.truth.ledgers import DAY, HOUR, MINUTE, House, config_of, house, run

NANO = 10**9
EVERY = 30 * MINUTE
MARCH_MS = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp()) * 1000
"""A month with New York's change of clocks on the 8th and Berlin's on the 29th."""

BUDGETS = """
defaults: {receivers: [console], thresholds: [80%, 100%], beyond: 0%, repeat_interval: never}
budgets:
  - {name: day, amount: "30", period: daily, timezone: America/New_York}
  - {name: week, amount: "180", period: weekly, timezone: America/New_York}
  - {name: month, amount: "600", period: monthly, timezone: Europe/Berlin}
  - {name: window, amount: "300", period: {rolling_days: 7}, timezone: Europe/Berlin}
  - {name: quarter, amount: "700", period: quarterly, fiscal_year_start: 3, timezone: Europe/Berlin}
"""
PRICES = 'catalogs: []\nprices: [{match: {instance_type: m5.xlarge}, per_instance_hour: "1.1"}]\n'


def a_quarter_from_march(day: date) -> tuple[date, date]:
    months = [date(2025, 12, 1), date(2026, 3, 1), date(2026, 6, 1)]
    return (months[1], months[2]) if day >= months[1] else (months[0], months[1])


def plan(zone: str, period: Callable[[date], tuple[date, date]], amount: int, *, rolling: bool = False) -> Plan:
    return Plan(zone, period, lambda _: amount * NANO, (80, 100), rolling=rolling, beyond=0)


PLANS = {
    "day": plan("America/New_York", a_day, 30),
    "week": plan("America/New_York", a_week, 180),
    "month": plan("Europe/Berlin", a_month, 600),
    "window": plan("Europe/Berlin", last_days(7), 300, rolling=True),
    "quarter": plan("Europe/Berlin", a_quarter_from_march, 700),
}


def a_months_runs() -> list[tuple[str, int, int]]:
    """(run, start, end) of a run every 9 h, in waves of six days: 20 h long in some, 4 to 10 h in others."""
    found = []
    for number, at in enumerate(range(MARCH_MS, MARCH_MS + 31 * DAY, 9 * HOUR)):
        hours = 20 if (number // 16) % 2 else 4 + number % 7
        start = at + number * MINUTE
        found.append((f"r{number}", start, start + hours * HOUR))
    return found


@dataclass
class Meter:
    """Adds up what each poll newly shows. No interval between two polls crosses a midnight, so each is of one day."""

    days: dict[str, dict[date, int]] = field(default_factory=lambda: {name: {} for name in PLANS})

    def poll(self, runs: list[tuple[str, int, int]], before: int, now: int) -> None:
        for _, start, end in runs:
            since, until = max(start, before), min(end, now)
            if since < until:
                nanos = self.cost(until - start) - self.cost(since - start)
                for name, each in PLANS.items():
                    day = datetime.fromtimestamp(since / 1000, ZoneInfo(each.zone)).date()
                    self.days[name][day] = self.days[name].get(day, 0) + nanos

    @staticmethod
    def cost(span: int) -> int:
        return round(Fraction(11, 10) * span * NANO / HOUR)

    def totals(self) -> Totals:
        return {(name, ()): days for name, days in self.days.items()}


def show(home: House, runs: list[tuple[str, int, int]], now: int) -> None:
    """Let the server show what began, and for an hour what ended."""
    home.source.runs = {
        name: run(name, "FINISHED" if end <= now else "RUNNING", start, end if end <= now else None)
        for name, start, end in runs
        if start <= now < end + HOUR
    }


def test_a_month_of_polls_tells_each_crossing_once(tmp_path: Path, migrated_sqlite: Path) -> None:
    runs, meter, alarms, told = a_months_runs(), Meter(), Alarms(PLANS), 0
    with house(config_of(tmp_path, BUDGETS, PRICES), migrated_sqlite, MARCH_MS) as home:
        for number, now in enumerate(range(MARCH_MS, MARCH_MS + 31 * DAY, EVERY)):
            near = [each for each in runs if each[1] <= now < each[2] + HOUR]
            show(home, near, now)
            if number % 250 == 249:
                home.restart(now)
            report = home.cycle(now)
            meter.poll(near, now - EVERY, now)
            fired = alarms.evaluate(meter.totals(), now, now)
            assert report.fired == fired, datetime.fromtimestamp(now / 1000, UTC)
            assert min(fired, 1) <= report.enqueued <= fired  # what goes into an earlier message's thread is apart
            told += report.enqueued
        alerts = home.rows(
            "SELECT b.name, a.period_start, a.percent, a.status FROM alert a JOIN budget b ON b.id = a.budget_id"
        )
        assert {(str(a), (), str(b), int(str(c))): d == "firing" for a, b, c, d in alerts} == alarms.firing
        assert home.rows("SELECT COUNT(*) FROM notification") == [(told,)]
    by_budget = {name: len({key[2] for key in alarms.firing if key[0] == name}) for name in PLANS}
    assert by_budget["day"] > 8
    assert by_budget["week"] >= 2
    assert by_budget["window"] >= 2
    assert by_budget["month"] == by_budget["quarter"] == 1
