"""The first hour of a month: what began before it is cut at its midnight, and told where it is whole."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from alerter.use_checks import check_use
from tests.audit.tools import HOUR, PRICES, alerter, ms
from tests.truth.ledgers import House, config_of, house, run

BUDGETS = """\
defaults: {receivers: [console], timezone: UTC}
budgets:
  - {name: month, amount: "0.05", period: monthly}
  - {name: week, amount: 40, period: weekly}
"""
MIDNIGHT = ms("2026-12-01T00:00Z")
NOW_MS = MIDNIGHT + HOUR // 2
NOW = ("--now", "2026-12-01T00:30Z")


@pytest.fixture
def home(tmp_path: Path, migrated_sqlite: Path) -> Iterator[House]:
    config = config_of(tmp_path / "config", BUDGETS, PRICES, f"database: sqlite:///{tmp_path}/ledger.db\n")
    with house(config, migrated_sqlite, NOW_MS) as found:
        path = tmp_path / "config" / "alerter.yaml"
        path.write_text(path.read_text().replace(f"{tmp_path}/ledger.db", str(found.store.sqlite_path())))
        found.source.put(
            run("long", "RUNNING", MIDNIGHT - 6 * HOUR, usage={"instance_type": "m5.xlarge"}, alive_ms=NOW_MS),
            run("huge", "FINISHED", MIDNIGHT - 9 * HOUR, MIDNIGHT - HOUR, usage={"instance_type": "x9.huge"}),
        )
        found.cycle(MIDNIGHT - HOUR)
        found.cycle(NOW_MS)
        yield found


def test_explain_says_where_a_run_is_cut_and_what_it_costs_in_all(home: House, tmp_path: Path) -> None:
    config = tmp_path / "config"
    sql = "SELECT period_start, MAX(public_id) FROM alert WHERE basis = 'actual' GROUP BY period_start"
    ids = {str(start): str(public_id) for start, public_id in home.rows(sql)}
    closed = alerter("explain", ids["2026-11-01"], *NOW, config=config)
    assert "2026-11-30T18:00:00Z  2026-12-01T00:00:00Z  prices.yaml" in closed
    assert "running" not in closed
    current = alerter("explain", ids["2026-12-01"], *NOW, config=config)
    assert "2026-12-01T00:00:00Z  running" in current
    for text in (closed, current):
        assert "runs count here only from" in text
    whole = alerter("explain", "long", *NOW, config=config)
    assert "counts 0.624 for month, 0.048 of it in 2026-12-01 to 2026-12-31\n" in whole
    assert "counts 0.624 for week\n" in whole


def test_what_a_week_has_no_price_for_is_found_though_the_month_is_young(home: House, tmp_path: Path) -> None:
    config = tmp_path / "config"
    shown = alerter("status", "week", *NOW, config=config)
    assert "44 %" in shown  # 6.5 of 14.5 hours
    assert "x9.huge" in alerter("top", "--unpriced", *NOW, config=config)
    said = [each for each in check_use(home.services, NOW_MS) if each.subject == "prices"]
    assert [each.level for each in said] == ["warning"]
    assert "before this month" in said[0].text


def test_nothing_is_forecast_of_minutes(home: House, tmp_path: Path) -> None:
    lines = alerter("status", *NOW, config=tmp_path / "config").splitlines()
    assert lines[1].split()[:3] == ["month", "December", "96.0"]
    assert lines[1].split()[-2:] == ["-", "1"]
