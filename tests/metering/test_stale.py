"""Runs that fell silent: up to when they count, what is told of the rest, and what the database is written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alerter.cli.evidence import print_evidence
from alerter.core.liveness import Life, Patience, counted_to
from alerter.core.wording import coverage_line
from alerter.coverage import coverage_lines, measure
from alerter.explain import explain
from alerter.status import budget_status, status_json, top_runs
from alerter.store.messages import decode
from tests.truth.ledgers import DAY, HOUR, MINUTE, House, config_of, house, run

T0 = int(datetime(2026, 11, 10, tzinfo=UTC).timestamp()) * 1000
BUDGETS = """
defaults: {receivers: [console], thresholds: [80%]}
budgets: [{name: all, amount: "10", period: monthly}]
"""
PRICES = """
catalogs: []
prices: [{match: {instance_type: m5.xlarge}, per_instance_hour: "1"}]
"""


@pytest.fixture
def home(tmp_path: Path, migrated_sqlite: Path) -> Iterator[House]:
    with house(config_of(tmp_path, BUDGETS, PRICES), migrated_sqlite, T0) as made:
        yield made


def spent(home: House, now: int) -> str:
    with home.services.ledger.read() as view:
        return str(status_json(view, now)["budgets"][0]["spent"])


@pytest.mark.parametrize(
    ("metric", "kin", "now", "expected"),
    [
        (HOUR, None, 4 * HOUR, None),
        (HOUR, None, 4 * HOUR + 1, HOUR),
        (HOUR, 2 * HOUR, 4 * HOUR + 1, None),
        (None, None, 24 * HOUR, None),
        (None, None, 24 * HOUR + 1, 24 * HOUR),
        (-1, None, 4 * HOUR, None),  # data of before the run is no sign of life
        (5 * HOUR, None, 2 * HOUR, None),  # a clock that is ahead
        (5 * HOUR, None, 8 * HOUR + 1, 5 * HOUR),
        (1000 * DAY, None, 25 * HOUR, 24 * HOUR),  # a broken clock
    ],
)
def test_up_to_when_a_silent_run_counts(metric: int | None, kin: int | None, now: int, expected: int | None) -> None:
    assert counted_to(Life(0, 0, metric, kin), Patience(), now) == expected


def test_a_resumed_run_starts_its_patience_anew() -> None:
    assert counted_to(Life(0, 10 * HOUR, HOUR), Patience(), 13 * HOUR) is None
    assert counted_to(Life(0, 10 * HOUR, HOUR), Patience(), 13 * HOUR + 1) == 10 * HOUR


def test_a_run_that_fell_silent_is_told_of_and_catches_up_when_it_wakes(
    home: House, capsys: pytest.CaptureFixture[str]
) -> None:
    home.source.put(run("r1", "RUNNING", T0, alive_ms=T0 + 2 * HOUR))
    home.cycle(T0 + 4 * HOUR)
    assert spent(home, T0 + 4 * HOUR) == "4.00"
    home.cycle(now := T0 + 7 * HOUR)
    assert spent(home, now) == "2.00"
    with home.services.ledger.read() as view:
        (row,) = budget_status(view, now)
        (run_cost,) = top_runs(view, home.services.describer, now, limit=3)
        coverage = status_json(view, now)["coverage"]
        lines = list(coverage_lines(measure(view, now)))
        evidence = explain(view, "r1", now)
    assert (row.suspected_nanos, run_cost.stale_nanos, run_cost.per_hour_nanos) == (5 * 10**9, 5 * 10**9, 0)
    assert (coverage["hours"]["suspected_stale"], coverage["suspected_stale_cost"]) == (5.0, "5.00")
    assert "5.0 h suspected stale ($5.00), not counted" in lines[0]
    assert evidence["run"]["cost"] == "2.00"
    last = "2026-11-10T02:00:00Z"
    assert evidence["suspected_stale"] == {"since": last, "cost": "5.00"}
    assert evidence["segments"] == [["2026-11-10T00:00:00Z", last]]
    print_evidence(evidence)
    told = capsys.readouterr().out
    assert f"suspected stale: no sign of life after {last}; 5.00 since then is not counted" in told
    assert "running" not in told
    assert "COST USD" in told
    assert "CORRECTION" not in told  # a column that is empty in every row
    home.source.put(run("r1", "RUNNING", T0, alive_ms=T0 + 8 * HOUR))
    home.cycle(T0 + 8 * HOUR)
    assert spent(home, T0 + 8 * HOUR) == "8.00"
    assert not home.rows("SELECT * FROM charge")  # nothing of it was ever settled or reversed


def test_a_message_says_what_is_suspected(home: House) -> None:
    ended = run("r1", "FINISHED", T0 - 9 * HOUR, T0)
    home.source.put(ended, run("r2", "RUNNING", T0 - 9 * HOUR, alive_ms=T0 - 8 * HOUR))
    assert home.cycle(T0).fired == 1
    ((body,),) = home.rows("SELECT message FROM notification")
    (alert,) = decode(str(body)).alerts
    assert alert.stale_nanos == 8 * 10**9
    assert "$8.00 suspected stale, not counted" in coverage_line(alert)


def test_terminated_long_after_death_it_ends_at_the_last_sign_of_life(home: House) -> None:
    home.source.put(run("r1", "RUNNING", T0, alive_ms=T0 + 2 * HOUR))
    for hours in (1, 3, 6, 60):
        home.cycle(T0 + hours * HOUR)
    home.source.put(run("r1", "KILLED", T0, T0 + 61 * HOUR, alive_ms=T0 + 2 * HOUR))
    home.cycle(T0 + 61 * HOUR)
    assert spent(home, T0 + 61 * HOUR) == "2.00"
    assert home.rows("SELECT start_ms, end_ms, quantity FROM charge") == [(T0, T0 + 2 * HOUR, 10**6)]


def test_a_run_without_any_metric_counts_for_a_day(home: House) -> None:
    home.source.put(run("r1", "RUNNING", T0))
    home.cycle(T0 + 24 * HOUR)
    assert spent(home, T0 + 24 * HOUR) == "24.00"
    home.cycle(T0 + 3 * DAY)
    assert spent(home, T0 + 3 * DAY) == "24.00"


def test_a_parent_lives_as_long_as_a_run_nested_in_it_counts(home: House) -> None:
    def poll(hours: int, alive: int) -> str:
        home.source.put(run("p", "RUNNING", T0), run("c", "RUNNING", T0, parent="p", alive_ms=T0 + alive * HOUR))
        home.cycle(T0 + hours * HOUR)
        rows = home.rows("SELECT r.run_uuid, o.until_ms FROM open_segment o JOIN run r ON r.id = o.run_id ORDER BY 1")
        return " ".join("-" if until is None else str((int(str(until)) - T0) // HOUR) for _, until in rows)

    assert poll(3, 1) == "- -"
    assert poll(6, 1) == "1 1"
    assert poll(9, 8) == "- -"


def test_runs_that_claim_to_be_nested_in_each_other_stop_nobody(home: House) -> None:
    home.source.put(run("a", "RUNNING", T0, parent="b"), run("b", "RUNNING", T0, parent="a", alive_ms=T0))
    home.source.put(run("c", "RUNNING", T0, parent="c"), run("d", "FINISHED", T0, T0 + 1, parent="d"))
    for hours in (1, 30):
        assert home.cycle(T0 + hours * HOUR).evaluated


def test_a_quiet_poll_writes_nothing_whether_runs_live_or_not(home: House) -> None:
    home.source.put(*(run(f"r{n}", "RUNNING", T0, alive_ms=T0 + n * HOUR) for n in range(9)))
    home.cycle(T0 + 9 * HOUR + MINUTE)
    before = home.everything()
    home.cycle(T0 + 9 * HOUR + 2 * MINUTE)
    after = home.everything()
    assert after == before
