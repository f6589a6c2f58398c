"""Accrued time that is counted no more stands in the ledger, with its reversal and why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alerter.verify import verify_ledger
from tests.truth.ledgers import HOUR, MINUTE, House, config_of, house, run

T0 = int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()) * 1000
BUDGETS = """
defaults: {receivers: [console], timezone: UTC, thresholds: [50%, 100%]}
budgets: [{name: teams, group_by: [team], amount: "10", period: monthly}]
"""
PRICES = """
catalogs: []
prices:
  - {match: {instance_type: m5.xlarge}, per_instance_hour: "1"}
  - {match: {instance_type: big}, per_instance_hour: "2"}
"""


@pytest.fixture
def home(migrated_sqlite: Path, tmp_path: Path) -> Iterator[House]:
    running = run("r1", "RUNNING", T0 - 6 * HOUR, tags={"team": "vision"}, alive_ms=T0)
    with house(config_of(tmp_path / "config", BUDGETS, PRICES), migrated_sqlite, T0, [running]) as made:
        made.cycle(T0)
        yield made


def ledger(home: House, now_ms: int) -> list[tuple[object, ...]]:
    home.cycle(now_ms)
    with home.services.ledger.read() as view:
        assert verify_ledger(view).ok
    return home.rows(
        "SELECT t.tags LIKE '%vision%', c.cost_nanos / 1000000, k.reason FROM charge c "
        "JOIN tag_set t ON t.id = c.tag_set_id LEFT JOIN correction k ON k.id = c.correction_id "
        "ORDER BY c.start_ms, c.revision"
    )


def test_a_running_run_of_another_team_takes_its_accrued_time_with_it(home: House) -> None:
    home.source.put(run("r1", "RUNNING", T0 - 6 * HOUR, tags={"team": "nlp"}, alive_ms=T0))
    assert ledger(home, T0 + HOUR) == [(1, 6000, None), (1, -6000, "tags changed")]
    home.source.put(run("r1", "FINISHED", T0 - 6 * HOUR, T0 + HOUR, tags={"team": "nlp"}))
    assert ledger(home, T0 + 2 * HOUR)[2:] == [(0, 7000, None)]


def test_a_tag_that_no_budget_names_withdraws_nothing(home: House) -> None:
    home.source.put(run("r1", "RUNNING", T0 - 6 * HOUR, tags={"team": "vision", "epoch": "7"}, alive_ms=T0))
    assert ledger(home, T0 + HOUR) == []


def test_another_machine_is_another_price_from_the_start(home: House) -> None:
    usage = {"instance_type": "big"}
    home.source.put(run("r1", "RUNNING", T0 - 6 * HOUR, tags={"team": "vision"}, usage=usage, alive_ms=T0))
    assert ledger(home, T0 + HOUR) == [(1, 6000, None), (1, -6000, "params changed")]


def test_an_end_before_the_last_poll_withdraws_what_was_counted_beyond_it(home: House) -> None:
    home.source.put(run("r1", "FINISHED", T0 - 6 * HOUR, T0 - 2 * HOUR, tags={"team": "vision"}))
    assert ledger(home, T0 + HOUR) == [(1, 4000, None), (1, 2000, None), (1, -2000, "times changed")]


def test_a_clock_that_is_a_little_behind_is_no_correction(home: House) -> None:
    home.source.put(run("r1", "FINISHED", T0 - 6 * HOUR, T0 - MINUTE, tags={"team": "vision"}))
    assert ledger(home, T0 + HOUR) == [(1, 5983, None)]
