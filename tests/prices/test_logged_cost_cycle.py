"""Runs that log their own cost, through the real cycle: totals, corrections, explain and verify to the nano."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from alerter.core.money import plain, to_nanos
from alerter.core.usage import RunObservation
from alerter.explain import explain
from alerter.status import budget_status, top_runs
from alerter.verify import verify_ledger
from tests.truth.ledgers import DAY, HOUR, House, config_of, house, run

BUDGETS = """
defaults: {timezone: UTC, receivers: [console]}
budgets:
  - {name: all, amount: "100", period: daily}
  - {name: month, amount: "100", period: monthly}
"""
T0 = int(datetime(2026, 11, 20, 18, tzinfo=UTC).timestamp()) * 1000
MACHINE = {"instance_type": "m5.xlarge"}


@pytest.fixture
def ledger(tmp_path: Path, migrated_sqlite: Path) -> Iterator[House]:
    config = config_of(tmp_path / "config", BUDGETS, "catalogs: [builtin]\n")
    with house(config, migrated_sqlite, T0) as made:
        yield made


def logged(cost: str, seen: RunObservation) -> RunObservation:
    return replace(seen, costs=(("metric.cost_usd", cost),))


def told(ledger: House, now_ms: int) -> Any:  # noqa: ANN401 - JSON
    with ledger.services.windows.read() as view:
        assert verify_ledger(view).ok
        return explain(view, "r1", now_ms)


def spent(ledger: House, now_ms: int, budget: str = "month") -> str:
    with ledger.services.windows.read() as view:
        (row,) = [each for each in budget_status(view, now_ms) if each.budget == budget]
        return plain(row.spent_nanos)


def daily(ledger: House) -> list[int]:
    rows = ledger.rows(
        "SELECT d.nanos FROM daily d JOIN budget b ON b.id = d.budget_id WHERE b.name = 'all' AND nanos <> 0 "
        "ORDER BY local_day"
    )
    return [int(str(row[0])) for row in rows]


def test_a_finished_run_costs_what_it_logged_to_the_nano(ledger: House) -> None:
    ledger.source.put(logged("12.345678901", run("r1", "FINISHED", T0, T0 + 9 * HOUR)))
    ledger.cycle(T0 + DAY)
    found = told(ledger, T0 + DAY)
    assert found["run"]["cost"] == "12.345678901"
    (line,) = found["charges"]
    assert (line["meter"], line["rule"], line["quantity"], line["unit"]) == (
        "logged",
        "logged cost_usd",
        "12.345678901",
        "total",
    )
    # Six of nine hours are on the 20th.
    assert daily(ledger) == [8_230_452_601, 4_115_226_300]
    assert spent(ledger, T0 + DAY) == "12.345678901"


def test_top_says_whose_number_it_is(ledger: House) -> None:
    ledger.source.put(
        logged("3", run("r1", "FINISHED", T0, T0 + HOUR)),
        logged("2", run("r2", "RUNNING", T0, usage={"epochs": "3"})),
        run("r3", "FINISHED", T0, T0 + HOUR),
    )
    ledger.cycle(now := T0 + 2 * HOUR)

    def machines() -> dict[str, str]:
        with ledger.services.windows.read() as view:
            found = top_runs(view, ledger.services.describer, now, limit=3, name="month")
        return {each.run_uuid: each.machine for each in found}

    own = "m5.xlarge (cost logged by the run)"
    assert machines() == {"r1": own, "r2": "cost logged by the run", "r3": "m5.xlarge"}
    ledger.source.put(run("r1", "FINISHED", T0, T0 + HOUR))
    ledger.cycle(now)
    assert machines()["r1"] == "m5.xlarge"


def test_a_running_total_rises_without_a_charge_and_settles_at_its_last_value(ledger: House) -> None:
    for hour, cost in enumerate(("0", "1.5", "1.5", "4.25"), 1):
        ledger.source.put(logged(cost, run("r1", "RUNNING", T0)))
        ledger.cycle(T0 + hour * HOUR)
        assert spent(ledger, T0 + hour * HOUR) == plain(to_nanos_text(cost))
        assert ledger.rows("SELECT COUNT(*) FROM charge") == [(0,)]
    with ledger.services.windows.read() as view:
        (top,) = top_runs(view, ledger.services.describer, T0 + 4 * HOUR, limit=3, name="month")
    assert (top.cost_nanos, top.per_hour_nanos) == (4_250_000_000, 1_062_500_000)
    before = ledger.everything()
    ledger.cycle(T0 + 5 * HOUR)
    assert ledger.everything() == before, "nothing is written for a run that merely goes on"
    assert [line["cost"] for line in told(ledger, T0 + 5 * HOUR)["charges"]] == ["4.25"]
    ledger.source.put(logged("5", run("r1", "FINISHED", T0, T0 + 10 * HOUR)))
    ledger.cycle(T0 + 11 * HOUR)
    assert told(ledger, T0 + 11 * HOUR)["run"]["cost"] == "5.00"
    assert daily(ledger) == [3_000_000_000, 2_000_000_000]
    assert ledger.rows("SELECT COUNT(*) FROM correction") == [(0,)]


def test_the_estimate_holds_until_a_cost_is_logged_and_is_then_replaced_with_a_reason(ledger: House) -> None:
    done = run("r1", "FINISHED", T0, T0 + 10 * HOUR)
    ledger.source.put(done)
    ledger.cycle(T0 + 11 * HOUR)
    assert spent(ledger, T0 + 11 * HOUR) == "1.92"
    ledger.source.put(logged("7", done))
    ledger.cycle(T0 + 12 * HOUR)
    found = told(ledger, T0 + 12 * HOUR)
    assert found["run"]["cost"] == spent(ledger, T0 + 12 * HOUR) == "7.00"
    assert {line["correction"] for line in found["charges"]} == {None, "logged cost changed"}
    ledger.source.put(done)
    ledger.cycle(T0 + 13 * HOUR)
    found = told(ledger, T0 + 13 * HOUR)
    assert found["run"]["cost"] == spent(ledger, T0 + 13 * HOUR) == "1.92"
    assert "logged cost removed" in {line["correction"] for line in found["charges"]}


def test_a_resumed_run_keeps_what_it_had_logged_and_adds_the_rest_to_the_new_time(ledger: House) -> None:
    ledger.source.put(logged("4", run("r1", "FINISHED", T0, T0 + 2 * HOUR)))
    ledger.cycle(T0 + 3 * HOUR)
    resumed = run("r1", "RUNNING", T0, T0 + 2 * HOUR, alive_ms=T0 + DAY)
    ledger.source.put(logged("4", resumed))
    ledger.cycle(T0 + DAY + HOUR)
    ledger.source.put(logged("10", resumed))
    ledger.cycle(T0 + DAY + 2 * HOUR)
    assert spent(ledger, T0 + DAY + 2 * HOUR) == "10.00"
    ledger.source.put(logged("11", run("r1", "FINISHED", T0, T0 + DAY + 3 * HOUR, alive_ms=T0 + DAY)))
    ledger.cycle(T0 + DAY + 4 * HOUR)
    found = told(ledger, T0 + DAY + 4 * HOUR)
    assert [line["cost"] for line in found["charges"]] == ["4.00", "7.00"]
    assert daily(ledger) == [4_000_000_000, 7_000_000_000]
    assert ledger.rows("SELECT COUNT(*) FROM correction") == [(0,)]


def test_a_total_that_shrank_is_corrected_over_all_of_the_time(ledger: House) -> None:
    ledger.source.put(logged("4", run("r1", "FINISHED", T0, T0 + 2 * HOUR)))
    ledger.cycle(T0 + 3 * HOUR)
    ledger.source.put(logged("1", run("r1", "RUNNING", T0, T0 + 2 * HOUR, alive_ms=T0 + 4 * HOUR)))
    ledger.cycle(T0 + 6 * HOUR)
    found = told(ledger, T0 + 6 * HOUR)
    assert found["run"]["cost"] == spent(ledger, T0 + 6 * HOUR) == "1.00"
    assert sum(float(line["cost"]) for line in found["charges"]) == 1.0


def test_a_run_that_vanishes_or_is_retagged_keeps_its_logged_cost(ledger: House) -> None:
    ledger.source.put(logged("3", run("r1", "RUNNING", T0)))
    ledger.cycle(T0 + HOUR)
    ledger.source.put(logged("3", run("r1", "RUNNING", T0, tags={"team": "vision"})))
    ledger.cycle(T0 + 2 * HOUR)
    ledger.source.runs.clear()
    ledger.cycle(T0 + 3 * HOUR)
    found = told(ledger, T0 + 4 * HOUR)
    assert (found["run"]["cost"], found["segments"]) == ("3.00", [["2026-11-20T18:00:00Z", "2026-11-20T20:00:00Z"]])


def test_a_run_of_no_length_and_one_of_no_cost(ledger: House) -> None:
    ledger.source.put(logged("2", run("r1", "FINISHED", T0, T0)), logged("0", run("r2", "FINISHED", T0, T0 + HOUR)))
    ledger.cycle(T0 + HOUR)
    assert told(ledger, T0 + HOUR)["run"]["cost"] == spent(ledger, T0 + HOUR) == "2.00"
    ledger.source.put(logged("2", run("r2", "FINISHED", T0, T0 + HOUR)), logged("0", run("r1", "FINISHED", T0, T0)))
    ledger.cycle(T0 + 2 * HOUR)
    assert told(ledger, T0 + 2 * HOUR)["run"]["cost"] == "0.00"
    assert spent(ledger, T0 + 2 * HOUR) == "2.00"


def test_a_price_that_changes_does_not_touch_a_run_that_logs_its_cost(ledger: House, tmp_path: Path) -> None:
    ledger.source.put(logged("3", run("r1", "RUNNING", T0)))
    ledger.cycle(T0 + HOUR)
    prices = 'prices: [{match: {instance_type: m5.xlarge}, per_instance_hour: "99"}]\n'
    ledger.restart(T0 + HOUR, config_of(tmp_path / "dearer", BUDGETS, prices))
    ledger.cycle(T0 + 2 * HOUR)
    assert told(ledger, T0 + 2 * HOUR)["run"]["cost"] == "3.00"


def to_nanos_text(text: str) -> int:
    return to_nanos(Decimal(text))
