"""A budget's period as a picture: what was spent day by day, the amount, and where it is heading.

SVG without a word in it: a server may have no font, so labels are the business of whoever shows it. The colours can be
told apart on white and on black; a page may set others by the classes ``spent``, ``now``, ``amount``,
``ahead`` and ``axis``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from alerter.core.alerts import Alert
from alerter.core.periods import DAY_MS, midnight_ms

WIDTH, HEIGHT = 560, 150
SPENT, AMOUNT, AHEAD, AXIS = "#3f7fd6", "#d9534f", "#8a6fd1", "#8a94a0"
MOST_POINTS = 60
"""Days that a chart shows; of a longer period, as many evenly chosen ones."""

_MARGIN = 8
_Point = tuple[int, int]


@dataclass(frozen=True, slots=True)
class BurnUp:
    """What a chart is drawn from: instants in epoch ms, amounts in nanos.

    Attributes:
        start_ms, end_ms: of the period ``[start, end)``.
        points: (instant, spent by then), oldest first; the last one is now.
        amount: the budget's.
        ahead: what is expected at the end, as (least, middle, most); None where there is no forecast.
        bend: (instant, expected by then) where the middle bends, between now and the end; None if it is straight.
    """

    start_ms: int
    end_ms: int
    points: tuple[_Point, ...]
    amount: int
    ahead: tuple[int, int, int] | None = None
    bend: _Point | None = None

    def lines_ahead(self) -> tuple[tuple[_Point, ...], ...]:
        """Return the lines from now to the least, the middle and the most that are expected at the end."""
        if self.ahead is None:
            return ()
        now, middle = self.points[-1], self.ahead[1]
        return tuple((now, *self._bent(end, middle), (self.end_ms, end)) for end in self.ahead)

    def _bent(self, end: int, middle: int) -> tuple[_Point, ...]:
        spent = self.points[-1][1]
        if self.bend is None or middle <= spent:
            return ()
        # The edges of the band are the middle at another scale: they cross the amount when the words say so.
        return ((self.bend[0], spent + (self.bend[1] - spent) * (end - spent) // (middle - spent)),)


def days_of(alert: Alert) -> tuple[date, date]:
    """Return the first and the last day of an alert's chart."""
    start, end = (date.fromisoformat(each) for each in (alert.period_start, alert.period_end))
    # The episode of a rolling budget is younger than the window that is shown.
    first = min([start.toordinal(), *(day for day, _ in alert.burn_up[:1])])
    return date.fromordinal(first), end - timedelta(days=1)


def of_alert(alert: Alert) -> BurnUp | None:
    """Return what the chart of an alert shows; None for one without days, as those of an earlier version are."""
    if not alert.burn_up:
        return None
    low, middle, high = alert.forecast_low_nanos, alert.forecast_nanos, alert.forecast_high_nanos
    ahead = None if middle is None else (middle if low is None else low, middle, middle if high is None else high)
    now = (alert.as_of_ms, alert.spent_nanos)
    return of_days(
        days_of(alert),
        alert.timezone,
        alert.burn_up,
        now=now,
        amount=alert.amount_nanos,
        ahead=ahead,
        in_a_day=alert.forecast_day_nanos,
    )


def of_days(
    days: tuple[date, date],
    zone: str,
    spent: Sequence[tuple[int, int]],
    *,
    now: tuple[int, int],
    amount: int,
    ahead: tuple[int, int, int] | None,
    in_a_day: int | None = None,
) -> BurnUp | None:
    """Return the chart of a period from its first to its last local day; None where there is none.

    ``spent`` are (local day as an ordinal, nanos spent by its end), ``now`` is (instant, nanos spent by then),
    ``in_a_day`` what is expected to be spent a day later.
    """
    start_ms, end_ms = midnight_ms(zone, days[0].toordinal()), midnight_ms(zone, days[1].toordinal() + 1)
    if end_ms <= start_ms:
        return None
    now_ms = min(max(now[0], start_ms), end_ms)
    past = [(midnight_ms(zone, day + 1), nanos) for day, nanos in spent]
    points = [(start_ms, 0), *(each for each in past if start_ms < each[0] < now_ms), (now_ms, now[1])]
    bend = (now_ms + DAY_MS, in_a_day) if in_a_day is not None and now_ms + DAY_MS < end_ms else None
    return BurnUp(start_ms, end_ms, tuple(points), amount, ahead, bend)


def draw(chart: BurnUp) -> str:
    """Return the picture as SVG text, `WIDTH` by `HEIGHT` units, with a transparent ground."""
    place = _Scale(chart)
    line = " ".join(_pair(place(*each)) for each in chart.points)
    now, end = place(*chart.points[-1]), chart.end_ms
    floor, level = HEIGHT - _MARGIN, place(end, chart.amount)[1]
    area = f"{_pair(place(chart.start_ms, 0))} {line} {_pair((now[0], floor * 10))}"
    parts = [
        f'<polygon class="spent" points="{area}" fill="{SPENT}" fill-opacity="0.18"/>',
        *_ahead([[place(*each) for each in line] for line in chart.lines_ahead()]),
        f'<path class="axis" d="M0 {floor}H{WIDTH}" stroke="{AXIS}" stroke-width="1.5"/>',
        f'<path class="amount" d="M0 {level / 10:g}H{WIDTH}" stroke="{AMOUNT}" stroke-width="2.5"/>',
        f'<polyline class="spent" points="{line}" stroke="{SPENT}" stroke-width="3.5" stroke-linejoin="round"/>',
        f'<circle class="now" cx="{now[0] / 10:g}" cy="{now[1] / 10:g}" r="6" fill="{SPENT}"/>',
    ]
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} fill="none">{"".join(parts)}</svg>'


def _ahead(lines: Sequence[Sequence[_Point]]) -> tuple[str, ...]:
    if not lines:
        return ()
    low, middle, high = lines
    band, line = " ".join(map(_pair, (*high, *reversed(low[1:])))), "L".join(map(_pair, middle))
    return (
        f'<polygon class="ahead" points="{band}" fill="{AHEAD}" fill-opacity="0.22"/>',
        f'<path class="ahead" d="M{line}" stroke="{AHEAD}" stroke-width="2.5" stroke-dasharray="7 6"/>',
    )


class _Scale:
    """Turns (instant, nanos) into a place, in tenths of a unit: whole numbers, however large the amounts are."""

    def __init__(self, chart: BurnUp) -> None:
        self._start, self._length = chart.start_ms, max(chart.end_ms - chart.start_ms, 1)
        spent = max(nanos for _, nanos in chart.points)
        self._top = max(spent, chart.amount, chart.ahead[2] if chart.ahead else 0, 1) * 21 // 20 + 1

    def __call__(self, at_ms: int, nanos: int) -> _Point:
        room = (HEIGHT - 2 * _MARGIN) * 10
        down = min(max(nanos, 0), self._top) * room // self._top
        return (at_ms - self._start) * WIDTH * 10 // self._length, (HEIGHT - _MARGIN) * 10 - down


def _pair(point: _Point) -> str:
    return f"{point[0] / 10:g},{point[1] / 10:g}"
