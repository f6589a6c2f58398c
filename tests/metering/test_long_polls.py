"""Runs begin and end while a poll goes on: they are charged for the time that they tell, to the millisecond."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerter.core.usage import RunObservation
from alerter.cycle import run_cycle
from tests.truth.ledgers import HOUR, MINUTE, config_of, house, run

T0 = 1_795_435_200_000
SECOND = 1_000
BUDGETS = "budgets: [{name: all, amount: 10, period: monthly, receivers: [console]}]\n"
PRICES = 'catalogs: []\nprices: [{match: {instance_type: "*"}, per_instance_hour: "3.6"}]\n'
USAGE = {"instance_type": "box"}


def seen(name: str, start_s: float, end_s: float | None) -> RunObservation:
    end = None if end_s is None else T0 + round(end_s * SECOND)
    return run(name, "RUNNING" if end is None else "FINISHED", T0 + round(start_s * SECOND), end, usage=USAGE)


@pytest.mark.parametrize("took_s", [20, 1200])
def test_a_run_that_begins_while_it_is_polled_counts_from_its_beginning(
    tmp_path: Path, migrated_sqlite: Path, took_s: int
) -> None:
    with house(config_of(tmp_path / "config", BUDGETS, PRICES), migrated_sqlite, T0) as home:
        home.source.put(
            seen("goes on", took_s - 10, None),
            seen("is over", 5, took_s - 5),
            seen("ends meanwhile", -3600, took_s - 8),
        )
        run_cycle(home.services, T0, clock=lambda: T0 + took_s * SECOND)
        later = T0 + HOUR
        home.source.put(seen("goes on", took_s - 10, 1800))
        run_cycle(home.services, later, clock=lambda: later)
        sql = "SELECT r.run_uuid, SUM(c.cost_nanos) FROM charge c JOIN run r ON r.id = c.run_id GROUP BY r.id"
        nanos = 1_000_000  # a second of the box is a tenth of a cent
        assert {str(uuid): cost for uuid, cost in home.rows(sql)} == {
            "goes on": (1800 - took_s + 10) * nanos,
            "is over": (took_s - 10) * nanos,
            "ends meanwhile": (3600 + took_s - 8) * nanos,
        }
        assert home.rows("SELECT * FROM clamped_run") == []


def test_a_clock_that_is_set_back_in_mid_poll_changes_nothing(tmp_path: Path, migrated_sqlite: Path) -> None:
    with house(config_of(tmp_path / "config", BUDGETS, PRICES), migrated_sqlite, T0) as home:
        home.source.put(seen("goes on", -60, None))
        report = run_cycle(home.services, T0, clock=lambda: T0 - 5 * MINUTE)
        assert not report.failed
        assert home.rows("SELECT start_ms FROM open_segment") == [(T0 - MINUTE,)]
