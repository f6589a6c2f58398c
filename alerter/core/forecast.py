"""What a budget's period will have cost by its end, and when it crosses its amount."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from alerter.core.money import div_half_even
from alerter.core.periods import DAY_MS, HOUR_MS

EARLIEST_SHARE = 0.10
"""No forecast before this part of the period has passed."""

_DAYS = 7
"""The days before today that the mean is made of."""

_BAND_SIGMAS = 1.28
"""Half-width of the band in standard deviations of the daily totals: about 80 % of outcomes."""


@dataclass(frozen=True, slots=True)
class Trend:
    """What is known of a scope's spending, in nanos.

    Attributes:
        spent: in the period so far.
        per_hour: what the running machines cost now.
        recent_days: totals of the seven local days before today, oldest first, and of today so far.
        recent_ms: the time that ``recent_days`` cover, in ms, up to now.
    """

    spent: int
    per_hour: int
    recent_days: tuple[int, ...]
    recent_ms: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """Nanos at the period's end, with a band, and the burn it was made from."""

    total: int
    low: int
    high: int
    soon_per_hour: int
    mean_per_hour: int
    now_ms: int
    end_ms: int
    spent: int

    @property
    def leeway(self) -> int:
        """Return how many nanos ``total`` may waver, either way, without news.

        That is its band, and what a day makes of it whose work comes late: until then that day's cost is missing, and
        the mean, which is of seven days, has fallen by a seventh.
        """
        today = div_half_even(self.mean_per_hour * DAY_MS, HOUR_MS)
        return self.high - self.total + today + div_half_even(self.total - self.spent, _DAYS)

    @property
    def in_a_day(self) -> int:
        """Return the nanos that will have been spent a day from now, or at the period's end if that is sooner.

        Until then what runs now counts, and after it the mean: the forecast's line has its bend there.
        """
        return self.spent + div_half_even(self.soon_per_hour * min(DAY_MS, self.end_ms - self.now_ms), HOUR_MS)

    def crossing_ms(self, level: int) -> int | None:
        """Return when the spending reaches ``level`` nanos (epoch ms), or None if not within the period."""
        return self._after(level - self.spent)

    def crossing_band_ms(self, level: int) -> tuple[int | None, int | None]:
        """Return the earliest and the latest crossing of ``level`` within the band, each None if not in the period."""
        ahead = self.total - self.spent
        missing = level - self.spent
        if ahead <= 0:
            return None, None
        fast, slow = self.high - self.spent, self.low - self.spent
        latest = self._after(div_half_even(missing * ahead, slow)) if slow > 0 else None
        return self._after(div_half_even(missing * ahead, fast)), latest

    def _after(self, missing: int) -> int | None:
        """Return when ``missing`` more nanos will have been spent at the forecast's burn."""
        if missing <= 0:
            return self.now_ms
        first_day = div_half_even(self.soon_per_hour * DAY_MS, HOUR_MS)
        if missing <= first_day:
            at = self.now_ms + missing * HOUR_MS // self.soon_per_hour
        elif self.mean_per_hour > 0:
            at = self.now_ms + DAY_MS + (missing - first_day) * HOUR_MS // self.mean_per_hour
        else:
            return None
        return at if at < self.end_ms else None


def forecast(trend: Trend, *, start_ms: int, end_ms: int, now_ms: int) -> Forecast | None:
    """Return what the period will cost: spent, then 24 h of the larger of burn and 7-day mean, then the mean.

    None before a tenth of the period has passed, or after its end.
    """
    if not has_forecast(start_ms, end_ms, now_ms):
        return None
    mean = div_half_even(sum(trend.recent_days) * HOUR_MS, max(trend.recent_ms, HOUR_MS))
    soon = max(trend.per_hour, mean)
    left = end_ms - now_ms
    spread = round(_BAND_SIGMAS * _deviation(trend.recent_days[:-1]) * sqrt(left / DAY_MS))
    total = trend.spent + _ahead(soon, mean, left)
    low = max(trend.spent, total - spread)
    return Forecast(total, low, total + spread, soon, mean, now_ms, end_ms, trend.spent)


@dataclass(frozen=True, slots=True)
class Calm:
    """What scopes where nothing runs will have cost, without the rest of a forecast: for very many of them.

    ``left_ms`` is the time to the period's end, ``recent_ms`` as in `Trend`.
    """

    left_ms: int
    recent_ms: int

    def total(self, spent: int, recent: int) -> int:
        """Return a forecast's total, of what was spent in the period and on all of the recent days."""
        mean = div_half_even(recent * HOUR_MS, max(self.recent_ms, HOUR_MS))
        return spent + _ahead(max(mean, 0), mean, self.left_ms)


def has_forecast(start_ms: int, end_ms: int, now_ms: int) -> bool:
    """Whether an instant is within a period, and a tenth of it has passed."""
    return start_ms <= now_ms < end_ms and (now_ms - start_ms) >= EARLIEST_SHARE * (end_ms - start_ms)


def _ahead(soon: int, mean: int, left_ms: int) -> int:
    first, rest = min(left_ms, DAY_MS), max(left_ms - DAY_MS, 0)
    return div_half_even(soon * first + mean * rest, HOUR_MS)


def _deviation(days: tuple[int, ...]) -> float:
    if len(days) < 2:
        return 0.0
    mean = sum(days) / len(days)
    return sqrt(sum((day - mean) ** 2 for day in days) / (len(days) - 1))
