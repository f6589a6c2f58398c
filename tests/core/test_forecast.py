"""The forecast's formula, by numbers that were worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from alerter.core.forecast import Forecast, Trend, forecast

HOUR = 3_600_000
DAY = 24 * HOUR
MONTH = 30 * DAY


def made(trend: Trend, day: float, *, days: float = 30) -> Forecast | None:
    return forecast(trend, start_ms=0, end_ms=round(days * DAY), now_ms=round(day * DAY))


def sure(trend: Trend, day: float, *, days: float = 30) -> Forecast:
    found = made(trend, day, days=days)
    assert found is not None
    return found


STEADY = Trend(spent=240_000, per_hour=0, recent_days=(24_000,) * 8, recent_ms=8 * DAY)
"""24,000 a day: 1,000 an hour."""


def test_a_steady_burn_goes_on() -> None:
    found = sure(STEADY, 10)
    assert found.mean_per_hour == found.soon_per_hour == 1_000
    assert found.total == 240_000 + 20 * 24_000
    assert (found.low, found.high) == (found.total, found.total)


def test_what_runs_now_counts_for_a_day_then_the_mean() -> None:
    found = sure(Trend(240_000, 3_000, (24_000,) * 8, 8 * DAY), 10)
    assert found.total == 240_000 + 24 * 3_000 + 19 * 24_000


def test_the_bend_is_a_day_from_now_or_at_the_end() -> None:
    assert sure(Trend(240_000, 3_000, (24_000,) * 8, 8 * DAY), 10).in_a_day == 240_000 + 24 * 3_000
    last = sure(Trend(100, 50, (24,) * 8, 8 * DAY), 29.75)
    assert last.in_a_day == last.total


def test_a_smaller_burn_than_the_mean_changes_nothing() -> None:
    assert sure(Trend(240_000, 10, (24_000,) * 8, 8 * DAY), 10).total == sure(STEADY, 10).total


def test_the_last_day_of_a_period_is_all_soon() -> None:
    found = sure(Trend(100, 50, (24,) * 8, 8 * DAY), 29.75)
    assert found.total == 100 + 6 * 50


def test_a_day_of_today_is_a_part_of_a_day() -> None:
    # 3,000 on the first day, 1,000 in the 8 hours of today: 4,000 in 32 h
    found = sure(Trend(4_000, 0, (3_000, 1_000), 32 * HOUR), 10)
    assert found.mean_per_hour == 125
    assert found.total == 4_000 + 125 * 24 * 20


def test_a_mean_of_less_than_an_hour_is_a_mean_of_an_hour() -> None:
    assert sure(Trend(100, 0, (100,), HOUR // 4), 10).mean_per_hour == 100


def test_the_band_is_the_spread_of_whole_days() -> None:
    # days of 100 and 300 and today: mean 200, deviation sqrt(2 * 100^2 / 1) = 141.42; 1.28 x 141.42 x sqrt(4) = 362
    found = sure(Trend(1_000, 0, (100, 300, 0), 2 * DAY), 26)
    ahead = round(400 / 48) * 24 * 4
    assert found.total == 1_000 + ahead
    assert (found.low, found.high) == (1_000 + ahead - 362, 1_000 + ahead + 362)


def test_the_band_never_says_less_than_was_spent() -> None:
    assert sure(Trend(1_000, 0, (0, 10_000, 0), 2 * DAY), 29).low >= 1_000


@pytest.mark.parametrize(("day", "made_one"), [(0, False), (2.99, False), (3, True), (29.99, True), (30, False)])
def test_none_before_a_tenth_or_after_the_end(day: float, made_one: bool) -> None:  # noqa: FBT001
    assert (made(STEADY, day) is not None) is made_one


def test_none_before_the_period() -> None:
    assert forecast(STEADY, start_ms=DAY, end_ms=MONTH, now_ms=0) is None


def test_when_a_level_is_crossed() -> None:
    found = sure(Trend(240_000, 3_000, (24_000,) * 8, 8 * DAY), 10)
    assert found.crossing_ms(240_000) == 10 * DAY
    assert found.crossing_ms(240_000 + 30_000) == 10 * DAY + 10 * HOUR  # at the burn of the next day
    assert found.crossing_ms(240_000 + 72_000 + 5_000) == 11 * DAY + 5 * HOUR  # then at the mean
    assert found.crossing_ms(found.total - 1_000) == MONTH - HOUR
    assert found.crossing_ms(found.total + 1) is None


def test_nothing_is_crossed_where_nothing_is_spent() -> None:
    found = sure(Trend(10, 0, (0,) * 8, 8 * DAY), 10)
    assert found.total == 10
    assert found.crossing_ms(11) is None
    assert found.crossing_band_ms(11) == (None, None)


def test_the_band_of_a_crossing_lies_around_it() -> None:
    found = sure(Trend(240_000, 0, (20_000, 28_000) * 4, 8 * DAY), 10)
    level = 240_000 + 240_000
    early, late = found.crossing_band_ms(level)
    middle = found.crossing_ms(level)
    assert early is not None
    assert late is not None
    assert middle is not None
    assert early < middle < late


@given(
    st.integers(0, 10**18),
    st.integers(0, 10**14),
    st.lists(st.integers(0, 10**17), min_size=1, max_size=8),
    st.floats(0.1, 0.999),
)
def test_a_forecast_is_never_less_than_what_is_spent(spent: int, per_hour: int, days: list[int], share: float) -> None:
    trend = Trend(spent, per_hour, tuple(days), max(len(days) - 1, 0) * DAY + HOUR)
    found = forecast(trend, start_ms=0, end_ms=MONTH, now_ms=int(share * MONTH) + 1)
    assert found is not None
    assert spent <= found.low <= found.total <= found.high
    crossing = found.crossing_ms(found.total + 10**6)
    assert crossing is None or crossing < MONTH
