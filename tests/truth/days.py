"""What is painted, by local days. It shares no code with the program."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.truth.tariff import Line


def midnights(zone: str, start: int, end: int) -> Iterable[tuple[date, int, int]]:
    """Each local day that `[start, end)` touches, and the part of it in epoch ms: by asking the zone for every hour."""
    tz = ZoneInfo(zone)
    day = datetime.fromtimestamp(start / 1000, tz).date()
    at = start
    while at < end:
        following = day + timedelta(days=1)
        local = datetime(following.year, following.month, following.day, tzinfo=tz)
        edge = int(local.astimezone(UTC).timestamp()) * 1000
        if edge > at:
            yield day, at, min(edge, end)
            at = min(edge, end)
        day = following


def daily(lines: Sequence[Line], zone: str) -> dict[date, int]:
    """Nanos by local day."""
    found: dict[date, int] = {}
    for line in lines:
        for day, since, until in midnights(zone, line.start, line.end):
            found[day] = found.get(day, 0) + line.until(until) - line.until(since)
    return found
