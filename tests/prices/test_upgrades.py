"""What is settled keeps its price: through a new catalog over the same ledger, and across a dated price."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from alerter.cli.app import app
from alerter.config import Config
from alerter.explain import explain
from alerter.verify import verify_ledger
from tests.truth.ledgers import DAY, HOUR, House, config_of, house, run

BUDGETS = 'budgets: [{name: all, amount: "1000", period: monthly, receivers: [console], timezone: UTC}]\n'
HEADER = "provider,region,instance_type,purchase_option,usd_per_hour,as_of\n"
T0 = int(datetime(2026, 11, 20, tzinfo=UTC).timestamp()) * 1000
CHANGE = int(datetime(2025, 6, 1, tzinfo=UTC).timestamp()) * 1000
P4D = {"instance_type": "p4d.24xlarge"}


def written(folder: Path, price: str, as_of: str, prices: str = "") -> Config:
    folder.mkdir(exist_ok=True)
    (folder / "ours.csv").write_text(f"{HEADER}aws,us-east-1,m5.xlarge,on_demand,{price},{as_of}\n")
    return config_of(folder, BUDGETS, f"catalogs: [{{file: ours.csv}}, builtin]\n{prices}")


@pytest.fixture
def ledger(tmp_path: Path, migrated_sqlite: Path) -> Iterator[House]:
    with house(written(tmp_path / "v1", "1.00", "2026-01-01"), migrated_sqlite, T0) as made:
        yield made


def told(ledger: House, reference: str, now_ms: int) -> Any:  # noqa: ANN401 - JSON
    with ledger.services.windows.read() as view:
        assert verify_ledger(view).ok
        return explain(view, reference, now_ms)


def lines(found: Any) -> list[tuple[str, str, str, str]]:  # noqa: ANN401 - JSON
    return [(each["unit_price"], each["cost"], each["as_of"], each["period"][1]) for each in found["charges"]]


def test_a_new_catalog_prices_only_what_comes_after_it(ledger: House, tmp_path: Path) -> None:
    ledger.source.put(run("done", "FINISHED", T0, T0 + 10 * HOUR), run("going", "RUNNING", T0))
    ledger.cycle(T0 + 10 * HOUR)
    before = told(ledger, "done", T0 + 10 * HOUR)
    ledger.restart(T0 + 11 * HOUR, written(tmp_path / "v2", "3.00", "2026-11-20"))
    ledger.cycle(T0 + 12 * HOUR)
    assert told(ledger, "done", T0 + 12 * HOUR) == before
    assert lines(before) == [("1", "10.00", "2026-01-01", "2026-11-20T10:00:00Z")]
    ledger.source.put(run("going", "FINISHED", T0, T0 + 14 * HOUR), run("new", "FINISHED", T0, T0 + HOUR))
    ledger.cycle(T0 + 15 * HOUR)
    assert lines(told(ledger, "going", T0 + 15 * HOUR)) == [
        ("1", "10.00", "2026-01-01", "2026-11-20T10:00:00Z"),
        ("3", "12.00", "2026-11-20", "2026-11-20T14:00:00Z"),
    ]
    assert lines(told(ledger, "new", T0 + 15 * HOUR)) == [("3", "3.00", "2026-11-20", "2026-11-20T01:00:00Z")]
    assert ledger.rows("SELECT COUNT(*) FROM correction") == [(0,)]


def test_a_retagged_run_keeps_its_old_price_after_the_upgrade(ledger: House, tmp_path: Path) -> None:
    ledger.source.put(run("done", "FINISHED", T0, T0 + 10 * HOUR))
    ledger.cycle(T0 + 10 * HOUR)
    ledger.restart(T0 + 11 * HOUR, written(tmp_path / "v2", "3.00", "2026-11-20"))
    ledger.source.put(run("done", "FINISHED", T0, T0 + 10 * HOUR, tags={"team": "vision"}))
    ledger.cycle(T0 + 12 * HOUR)
    found = told(ledger, "done", T0 + 12 * HOUR)
    assert found["run"]["cost"] == "10.00"
    assert {each["unit_price"] for each in found["charges"]} == {"1"}


def test_a_p4d_on_both_sides_of_a_dated_price(tmp_path: Path, migrated_sqlite: Path) -> None:
    dated = (
        'prices:\n  - {match: {instance_type: p4d.24xlarge}, per_instance_hour: "32.7726", effective_to: 2025-06-01}\n'
    )
    config = written(tmp_path / "v1", "1.00", "2026-01-01", dated)
    start, end = CHANGE - 6 * HOUR, CHANGE + 10 * HOUR
    with house(config, migrated_sqlite, start) as ledger:
        ledger.source.put(run("r1", "RUNNING", start, usage=P4D))
        for hour in range(1, 12, 3):
            ledger.cycle(start + hour * HOUR)
        ledger.source.put(run("r1", "FINISHED", start, end, usage=P4D))
        ledger.cycle(end + HOUR)
        watched = told(ledger, "r1", end + HOUR)
    with house(config, migrated_sqlite, end) as ledger:
        ledger.source.put(run("r1", "FINISHED", start, end, usage=P4D))
        ledger.cycle(end + DAY)
        found_later = told(ledger, "r1", end + DAY)
    assert watched["charges"] == found_later["charges"], "whoever polled when"
    assert [(each["unit_price"], each["cost"], each["rule"]) for each in watched["charges"]] == [
        ("32.7726", "196.6356", "prices.yaml #1 p4d.24xlarge"),
        ("21.957642", "219.57642", "builtin aws us-east-1 p4d.24xlarge on_demand"),
    ]
    assert watched["run"]["cost"] == "416.21202"
    shown = CliRunner().invoke(
        app, ["prices", "show", "p4d.24xlarge", "--at", "2025-05-31", "--json", "--config", str(tmp_path / "v1")]
    )
    assert json.loads(shown.stdout)["prices"][0]["unit_price"] == "32.7726"
