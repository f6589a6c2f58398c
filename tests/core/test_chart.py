"""The chart: where it puts what, whatever the amounts are, and nothing but shapes in it."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree as ET

from hypothesis import given, strategies as st

from alerter.core.chart import HEIGHT, WIDTH, BurnUp, draw, of_alert
from alerter.core.forecast import Trend, forecast as forecast_of
from alerter.core.money import MAX_NANOS, NANOS
from alerter.core.periods import DAY_MS as DAY, midnight_ms
from tests.notifiers.samples import DAYS, FIRST, NOW, alert, forecast

START, END = (midnight_ms("Europe/Berlin", FIRST + each) for each in (0, 30))
NANOS_EACH = st.integers(0, MAX_NANOS)
AHEAD = st.none() | st.tuples(NANOS_EACH, NANOS_EACH, NANOS_EACH)


def numbers(text: str) -> list[tuple[float, float]]:
    pairs = (each.split(",") for each in text.split())
    return [(float(x), float(y)) for x, y in pairs]


def shapes(chart: BurnUp) -> dict[str, ET.Element]:
    root = ET.fromstring(draw(chart))  # noqa: S314 - our own text
    return {f"{each.tag.rpartition('}')[2]}.{each.get('class')}": each for each in root}


def test_the_line_ends_now_and_the_amount_lies_above_it() -> None:
    chart = of_alert(alert(burn_up=DAYS))
    assert chart is not None
    made = shapes(chart)
    line = numbers(made["polyline.spent"].attrib["points"])
    level = float(made["path.amount"].attrib["d"].removeprefix("M0 ").partition("H")[0])
    assert len(line) == 24  # the 1st at 0:00, the ends of 22 days, and now
    assert line[-1][0] == float(int((22 + (14 * 60 + 32) / 1440) / 30 * WIDTH * 10)) / 10
    floor = line[0][1]
    used = (floor - line[-1][1]) / (floor - level)
    assert abs(used - 9_740 / 12_000) < 0.01
    high, low = numbers(made["polygon.ahead"].attrib["points"])[1:]
    assert high[0] == low[0] == WIDTH
    assert high[1] < level < line[-1][1]


def test_the_line_crosses_the_amount_when_the_words_say_so() -> None:
    """92 an hour for a day, then less: a straight line to the end would cross two days late."""
    soon, mean, amount = 92 * NANOS, 18 * NANOS, 12_000 * NANOS
    month = forecast_of(Trend(9_740 * NANOS, soon, (24 * mean,) * 8, 8 * DAY), start_ms=START, end_ms=END, now_ms=NOW)
    assert month is not None
    month = replace(month, low=month.total - 400 * NANOS, high=month.total + 400 * NANOS)
    told = alert(
        burn_up=DAYS,
        forecast_nanos=month.total,
        forecast_low_nanos=month.low,
        forecast_high_nanos=month.high,
        forecast_day_nanos=month.in_a_day,
    )
    chart = of_alert(told)
    assert chart is not None
    early, late = month.crossing_band_ms(amount)
    said = (late, month.crossing_ms(amount), early)
    for line, at_ms in zip(chart.lines_ahead(), said, strict=True):
        assert at_ms is not None
        assert abs(crossing(line, amount) - at_ms) < 60_000
    assert len(numbers(shapes(chart)["polygon.ahead"].attrib["points"])) == 5


def crossing(line: Sequence[tuple[int, int]], level: int) -> float:
    """Return when a line of (instant, nanos) reaches a level."""
    for (start_ms, start), (end_ms, end) in pairwise(line):
        if start <= level <= end:
            return start_ms + (level - start) / (end - start) * (end_ms - start_ms)
    raise AssertionError("it doesn't")


def test_what_is_not_known_is_not_drawn() -> None:
    assert of_alert(alert()) is None
    chart = of_alert(alert(burn_up=DAYS, forecast_nanos=None))
    assert chart is not None
    assert not [name for name in shapes(chart) if "ahead" in name]


def test_a_rolling_budget_shows_its_window_not_its_episode() -> None:
    made = forecast(burn_up=DAYS, period_start="2026-11-20", period_end="2026-11-24")
    chart = of_alert(made)
    assert chart is not None
    assert chart.end_ms - chart.start_ms == 23 * 86_400_000
    assert chart.points[-1] == (NOW, made.spent_nanos)


@given(
    spent=st.lists(NANOS_EACH, min_size=1, max_size=70),
    amount=NANOS_EACH,
    ahead=st.none() | st.tuples(*[NANOS_EACH] * 3),
    bend=st.none() | NANOS_EACH,
)
def test_whatever_the_amounts_are_it_is_drawn_within_its_frame(
    spent: list[int], amount: int, ahead: tuple[int, int, int] | None, bend: int | None
) -> None:
    days = tuple(enumerate(spent, FIRST))
    told = alert(burn_up=days, spent_nanos=spent[-1], amount_nanos=amount, forecast_day_nanos=bend)
    if ahead is not None:
        low, middle, high = sorted(ahead)
        told = replace(told, forecast_low_nanos=low, forecast_nanos=middle, forecast_high_nanos=high)
    chart = of_alert(told)
    assert chart is not None
    made = shapes(chart)
    for each in made.values():
        for x, y in numbers(each.get("points", "")):
            assert 0 <= x <= WIDTH
            assert 0 <= y <= HEIGHT
    assert not "".join(ET.fromstring(draw(chart)).itertext())  # noqa: S314
