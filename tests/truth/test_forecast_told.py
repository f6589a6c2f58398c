"""A forecast that wavers around its threshold for a month, on the real cycle: told once, unless it really moved."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alerter.store.messages import decode
from tests.truth.ledgers import DAY, HOUR, House, config_of, house, run

BUDGETS = """
defaults: {repeat_interval: never}
budgets:
  - {name: all, amount: "1000", period: monthly, thresholds: [forecast 100%], receivers: [console], timezone: UTC}
"""
PRICES = 'catalogs: []\nprices: [{match: {instance_type: "m5.*"}, per_instance_hour: "2"}]\n'
START = round(datetime(2026, 11, 1, tzinfo=UTC).timestamp() * 1000)
WAVERING = [17 + (3 if day % 2 else -3) for day in range(30)]
"""Hours that a run takes on each day: 33 dollars in the mean, give or take six."""


@pytest.fixture
def made(tmp_path: Path, migrated_sqlite: Path) -> Iterator[House]:
    with house(config_of(tmp_path / "config", BUDGETS, PRICES), migrated_sqlite, START) as opened:
        yield opened


def spend(made: House, hours: list[int]) -> None:
    """Let a run of so many hours end on each day, after a steady October; poll four times a day."""
    before = [run(f"day-{-ago}", "FINISHED", START - ago * DAY, START - ago * DAY + 17 * HOUR) for ago in range(1, 9)]
    made.source.put(*before)
    for day, length in enumerate(hours):
        begun = START + day * DAY
        for quarter in range(4):
            made.cycle(begun + quarter * 6 * HOUR)
        made.source.put(run(f"day-{day}", "FINISHED", begun, begun + length * HOUR))
        made.cycle(begun + DAY - 1)


def told(made: House) -> list[tuple[str, str]]:
    rows = made.rows("SELECT message FROM notification ORDER BY id")
    alerts = [each for (text,) in rows for each in decode(str(text)).alerts]
    return [(each.basis.value, each.reason) for each in alerts]


def test_a_forecast_that_wavers_is_told_once(made: House) -> None:
    spend(made, WAVERING)
    assert told(made) == [("forecast", "first")]


def test_one_that_fell_and_rose_by_more_than_its_band_is_told_again(made: House) -> None:
    spend(made, [*WAVERING[:8], *[1] * 5, *[24] * 17])
    assert told(made) == [("forecast", "first"), ("forecast", "reopened")]


def test_its_message_has_the_band_and_when_the_amount_is_crossed(made: House) -> None:
    spend(made, WAVERING)
    (row,) = made.rows("SELECT message FROM notification")
    (alert,) = decode(str(row[0])).alerts
    assert alert.forecast_low_nanos is not None
    assert alert.forecast_high_nanos is not None
    assert alert.forecast_nanos is not None
    assert alert.forecast_low_nanos < alert.forecast_nanos < alert.forecast_high_nanos
    assert alert.crossing_ms is not None
    assert START < alert.crossing_ms < START + 30 * DAY
