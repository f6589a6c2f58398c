"""Periods that are over: what is learnt of them later changes their totals, is shown, and tells nobody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alerter.cli.evidence import print_evidence
from alerter.config import Config
from alerter.explain import explain
from alerter.status import budget_status
from alerter.verify import verify_ledger
from tests.truth.ledgers import HOUR, MINUTE, House, config_of, house, run

OCTOBER = int(datetime(2026, 10, 31, 12, tzinfo=UTC).timestamp()) * 1000
NOVEMBER = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp()) * 1000
BUDGETS = """
defaults: {{receivers: [console], timezone: UTC, thresholds: [50%, 100%]}}
budgets:
  - {{name: teams, group_by: [team], amount: "10", period: monthly{more}}}
  - {{name: week, amount: "1000", period: weekly}}
  - {{name: window, amount: "1000", period: {{rolling_days: 3}}}}
"""
PRICES = """
catalogs: []
prices: [{match: {instance_type: m5.xlarge}, per_instance_hour: "1"}]
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return config_of(tmp_path / "config", BUDGETS.format(more=""), PRICES)


@pytest.fixture
def home(config: Config, migrated_sqlite: Path) -> Iterator[House]:
    runs = [
        run("ended", "FINISHED", OCTOBER - 6 * HOUR, OCTOBER, tags={"team": "vision"}),
        run("long", "RUNNING", NOVEMBER - 2 * HOUR, tags={"team": "vision"}, alive_ms=NOVEMBER + 20 * MINUTE),
    ]
    with house(config, migrated_sqlite, OCTOBER, runs) as made:
        made.cycle(NOVEMBER - HOUR)
        made.cycle(NOVEMBER + 10 * MINUTE)
        yield made


def restated(home: House, now_ms: int) -> list[str]:
    """Everything that `status` says of closed periods."""
    with home.services.ledger.read() as view:
        assert verify_ledger(view).ok
        rows = budget_status(view, now_ms)
    return sorted(f"{row.title}: {each.words(row.currency)}" for row in rows for each in row.restated)


def test_a_run_over_the_end_of_a_period_restates_nothing(home: House) -> None:
    home.source.put(run("long", "FINISHED", NOVEMBER - 2 * HOUR, NOVEMBER + 3 * HOUR, tags={"team": "vision"}))
    home.cycle(NOVEMBER + 4 * HOUR)
    assert restated(home, NOVEMBER + 4 * HOUR) == []


def test_a_correction_to_a_closed_period_is_shown_and_tells_nobody(
    home: House, capsys: pytest.CaptureFixture[str]
) -> None:
    alerts = home.everything()["alert"]
    sent = home.everything()["notification"]
    home.source.put(run("ended", "FINISHED", OCTOBER - 6 * HOUR, OCTOBER, tags={"team": "nlp"}))
    report = home.cycle(NOVEMBER + HOUR)
    assert report.fired == 0
    assert restated(home, NOVEMBER + HOUR) == [
        "nlp: October restated by +$6.00 since it closed",
        "vision: October restated by -$6.00 since it closed",
    ]
    assert (home.everything()["alert"], home.everything()["notification"]) == (alerts, sent)
    ((reference,),) = home.rows("SELECT public_id FROM alert WHERE basis = 'actual' AND percent = 50")
    with home.services.ledger.read() as view:
        evidence = explain(view, str(reference), NOVEMBER + HOUR)
    alert = evidence["alert"]
    assert (alert["spent"], alert["spent_when_closed"], alert["restated"]) == ("2.00", "8.00", "-6.00")
    print_evidence(evidence)
    told = capsys.readouterr().out
    assert "teams / vision  2026-10-01 to 2026-10-31\nspent 2.00 of 10.00 USD (estimate); " in told
    lines = [line.split() for line in told.splitlines()]
    (heads,) = (line for line in lines if line[:2] == ["RUN", "METER"])
    assert heads[2:] == ["QUANTITY", "PRICE", "COST", "USD", "FROM", "TO", "RULE", "CORRECTION"]
    assert "name of long   machine   2 node-hour " in told


def test_a_run_that_comes_after_its_period_closed_restates_it(home: House) -> None:
    home.source.put(run("late", "FINISHED", OCTOBER - 9 * HOUR, OCTOBER, tags={"team": "vision"}))
    report = home.cycle(NOVEMBER + HOUR)
    assert report.fired == 0
    assert restated(home, NOVEMBER + HOUR) == ["vision: October restated by +$9.00 since it closed"]


def test_a_quiet_cycle_looks_once_at_what_closed(home: House) -> None:
    closed = home.rows("SELECT * FROM closing ORDER BY id")
    home.cycle(NOVEMBER + HOUR)
    home.cycle(NOVEMBER + 2 * HOUR)
    assert home.rows("SELECT * FROM closing ORDER BY id") == closed
    assert home.rows("SELECT kind FROM closing ORDER BY id") == [("monthly",), ("weekly",), ("monthly",)]


def test_a_budget_that_counts_other_runs_has_closed_nothing_yet(home: House, tmp_path: Path) -> None:
    home.restart(NOVEMBER + HOUR, config_of(tmp_path / "other", BUDGETS.format(more=", match: {team: vision}"), PRICES))
    home.source.put(run("late", "FINISHED", OCTOBER - 9 * HOUR, OCTOBER, tags={"team": "vision"}))
    home.cycle(NOVEMBER + HOUR)
    assert restated(home, NOVEMBER + HOUR) == []
    home.source.put(run("later", "FINISHED", OCTOBER - 9 * HOUR, OCTOBER, tags={"team": "vision"}))
    home.cycle(NOVEMBER + 2 * HOUR)
    assert restated(home, NOVEMBER + 2 * HOUR) == ["vision: October restated by +$9.00 since it closed"]
