"""Whatever a run logs of its cost, and whatever else happens to it: the ledger holds its latest total to the nano."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from alerter.config import Config
from alerter.core.money import plain
from alerter.core.usage import RunObservation, RunStatus
from alerter.explain import explain
from alerter.status import budget_status
from alerter.verify import verify_ledger
from tests.truth.ledgers import HOUR, House, config_of, house, run

BUDGETS = """
defaults: {receivers: [console]}
budgets:
  - {name: year, amount: "100", period: yearly, timezone: Australia/Lord_Howe}
  - {name: teams, group_by: [team], amount: "100", period: yearly, timezone: Asia/Kathmandu}
"""
T0 = int(datetime(2026, 3, 30, tzinfo=UTC).timestamp()) * 1000
COSTS = st.decimals(0, 5000, places=11).map(str)


@st.composite
def steps(draw: st.DrawFn) -> tuple[str, str, int, str]:
    """(what happens, the total from now on, after how many ms, the team)."""
    what = draw(st.sampled_from(["goes on", "ends", "resumes", "vanishes", "is deleted"]))
    return what, draw(COSTS), draw(st.integers(1, 40 * HOUR)), draw(st.sampled_from(["a", "b"]))


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    return config_of(tmp_path_factory.mktemp("config"), BUDGETS)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(steps(), min_size=1, max_size=7))
def test_the_latest_total_stands(
    config: Config, migrated_sqlite: Path, history: list[tuple[str, str, int, str]]
) -> None:
    with house(config, migrated_sqlite, T0) as ledger:
        seen, now = run("r1", "RUNNING", T0), T0
        total = 0
        for what, cost, passed, team in history:
            now += passed
            gone = what == "vanishes"
            seen = _after(seen, what, now)
            if gone:
                ledger.source.runs.clear()
            else:
                seen = replace(seen, tags=(("team", team),), costs=(("metric.cost_usd", cost),))
                total = _nanos(cost)
                ledger.source.put(seen)
            ledger.cycle(now)
            now += 1  # what is resumed just now has no time yet that its cost could be spread over
            ledger.cycle(now)
            if gone and not ledger.rows("SELECT 1 FROM run"):
                continue
            _check(ledger, now, total)


def _after(seen: RunObservation, what: str, now: int) -> RunObservation:
    match what:
        case "ends" if seen.status is RunStatus.RUNNING:
            return replace(seen, status=RunStatus.FINISHED, end_ms=now - 1)
        case "resumes" if seen.status is RunStatus.FINISHED:
            return replace(seen, status=RunStatus.RUNNING, deleted=False, last_metric_ms=now)
        case "is deleted":
            return replace(seen, deleted=True)
    return replace(seen, deleted=False)


def _check(ledger: House, now: int, total: int) -> None:
    with ledger.services.windows.read() as view:
        assert verify_ledger(view).ok
        found = explain(view, "r1", now)
        assert found["run"]["cost"] == plain(total)
        assert sum(Decimal(line["cost"]) for line in found["charges"]) == Decimal(total).scaleb(-9)
        spent = {row.budget: 0 for row in budget_status(view, now)}
        for row in budget_status(view, now):
            spent[row.budget] += row.spent_nanos
    assert set(spent.values()) <= {total}


def _nanos(cost: str) -> int:
    return int((Decimal(cost) * 10**9).to_integral_value(ROUND_HALF_EVEN))
