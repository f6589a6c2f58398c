"""A replay names the instant at which a threshold is crossed."""

from dataclasses import replace
from datetime import date

from alerter.core.budgets import Basis, Budget, Threshold
from alerter.core.charges import ChargeLine, Rate
from alerter.core.money import NANOS
from alerter.core.periods import PeriodKind, PeriodSpec
from alerter.core.replay import replay
from alerter.core.usage import Meter
from tests.audit.tools import HOUR, ms

DAY = 24 * HOUR
START = ms("2026-10-26T00:00Z")


def line(start: int, end: int, price: str = "1") -> ChargeLine:
    return ChargeLine(Rate(Meter.MACHINE, price, price, "node-hour", "USD", "test"), 1_000_000, start, end)


def budget(percents: tuple[int, ...] = (100,), **changes: object) -> Budget:
    made = Budget(
        id="b",
        name="b",
        period=PeriodSpec(PeriodKind.MONTHLY),
        timezone="UTC",
        currency="USD",
        amounts=((date(2020, 1, 1), 10 * NANOS),),
        thresholds=tuple(Threshold(Basis.ACTUAL, each) for each in percents),
        receivers=("console",),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


NOVEMBER = ms("2026-11-01T00:00Z")


def test_the_instant_is_exact_to_the_millisecond() -> None:
    # Two machines at 1 and 3 an hour: 10 are spent 2 h 30 min after the first, exactly.
    lines = [line(NOVEMBER, NOVEMBER + 9 * HOUR), line(NOVEMBER, NOVEMBER + 9 * HOUR, "3")]
    (found,) = replay(budget(beyond=0), (), lines, (NOVEMBER, NOVEMBER + DAY))
    assert (found.at_ms, found.spent, found.amount) == (NOVEMBER + 5 * HOUR // 2, 10 * NANOS, 10 * NANOS)
    nanos = sum(each.cost_until(found.at_ms - 1) for each in lines)
    assert nanos < 10 * NANOS <= sum(each.cost_until(found.at_ms) for each in lines)


def test_thresholds_beyond_are_told_too_and_an_earlier_crossing_is_not() -> None:
    lines = [line(NOVEMBER, NOVEMBER + 20 * HOUR)]
    found = replay(budget((80, 100)), (), lines, (NOVEMBER + 9 * HOUR, NOVEMBER + DAY))
    assert [(each.threshold.percent, each.at_ms - NOVEMBER) for each in found] == [
        (100, 10 * HOUR),
        (125, 25 * HOUR // 2),
        (150, 15 * HOUR),
        (175, 35 * HOUR // 2),
        (200, 20 * HOUR),
    ]


def test_each_period_begins_anew_and_an_amount_that_falls_fires_at_midnight() -> None:
    lines = [line(NOVEMBER - 8 * DAY, NOVEMBER - 8 * DAY + 11 * HOUR), line(NOVEMBER, NOVEMBER + 7 * HOUR)]
    falling = ((date(2020, 1, 1), 10 * NANOS), (date(2026, 11, 3), 6 * NANOS))
    found = replay(budget(amounts=falling, beyond=0), (), lines, (NOVEMBER - 9 * DAY, NOVEMBER + 9 * DAY))
    assert [each.at_ms - NOVEMBER for each in found] == [-8 * DAY + 10 * HOUR, 2 * DAY]
    assert found[1].amount == 6 * NANOS


def test_a_rolling_window_forgets_and_fires_again() -> None:
    rolling = budget(period=PeriodSpec(PeriodKind.ROLLING, days=2), beyond=0)
    lines = [line(NOVEMBER, NOVEMBER + 10 * HOUR), line(NOVEMBER + 4 * DAY, NOVEMBER + 4 * DAY + 11 * HOUR)]
    found = replay(rolling, (), lines, (NOVEMBER, NOVEMBER + 9 * DAY))
    assert [each.at_ms - NOVEMBER for each in found] == [10 * HOUR, 4 * DAY + 10 * HOUR]
