"""`alerter check` and messages say what is old, what is guessed, and what can't be added up."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from alerter.cli.app import app
from alerter.config import Config
from alerter.core.charges import Rate
from alerter.core.ports import Finding
from alerter.core.price_age import days_old, is_old
from alerter.core.usage import Meter, RunObservation
from alerter.price_checks import check_catalogs, check_used_prices
from alerter.store.bulk import query
from tests.truth.ledgers import HOUR, House, config_of, house, run

BUDGETS = 'budgets: [{name: all, amount: "1", period: monthly, receivers: [console], timezone: UTC}]\n'
PRICES = "catalogs: [{file: ours.csv}, builtin]\n"
HEADER = "provider,region,instance_type,purchase_option,usd_per_hour,as_of\n"
OURS = HEADER + "aws,eu-west-1,p4d.24xlarge,on_demand,23.92,2025-01-02\n"
TODAY = date(2026, 11, 23)
T0 = int(datetime(2026, 11, 20, tzinfo=UTC).timestamp()) * 1000


@pytest.fixture
def ledger(tmp_path: Path, migrated_sqlite: Path) -> Iterator[House]:
    with house(written(tmp_path), migrated_sqlite, T0) as made:
        yield made


def written(folder: Path, prices: str = PRICES, ours: str = OURS) -> Config:
    folder.mkdir(exist_ok=True)
    (folder / "ours.csv").write_text(ours)
    return config_of(folder, BUDGETS, prices)


def old_run() -> RunObservation:
    usage = {"instance_type": "p4d.24xlarge", "region": "eu-west-1"}
    return run("old", "FINISHED", T0, T0 + HOUR, usage=usage)


def said(findings: Iterable[Finding]) -> list[tuple[str, str, str]]:
    return [(each.level, each.subject, each.text) for each in findings]


def test_a_price_is_old_after_180_days_unless_somebody_wrote_it() -> None:
    rate = Rate(Meter.MACHINE, "1", "1", "node-hour", "USD", "builtin aws x y on_demand", "2026-05-27")
    assert not is_old(rate, TODAY)
    assert is_old(replace(rate, as_of="2026-05-26"), TODAY)
    assert not is_old(replace(rate, as_of="2020-01-01", rule="prices.yaml #1 y"), TODAY)
    assert not is_old(replace(rate, as_of=""), TODAY)
    assert (days_old("2026-11-20", TODAY), days_old("", TODAY)) == (3, None)


def test_catalogs_that_are_old_throughout_or_have_bad_rows(tmp_path: Path) -> None:
    ours, builtin = said(check_catalogs(written(tmp_path), TODAY))
    assert ours == ("warning", "catalog ours.csv", "its newest price is of 2025-01-02, 690 days old")
    assert builtin == ("ok", "catalog builtin", "every row can be used; the newest is of 2026-08-03")
    bad = written(tmp_path, ours=OURS + "aws,eu-west-1,x,on_demand,-1,2026-01-01\n" * 7)
    found = said(check_catalogs(bad, TODAY))
    assert [each[2] for each in found[5:7]] == ["2 more rows skipped", ours[2]]
    assert "ours.csv:3: price '-1' is negative" in found[0][2]


def test_what_runs_were_priced_by_is_told_with_how_many(ledger: House) -> None:
    assert said(check_used_prices(ledger.store, TODAY)) == []
    ledger.source.put(
        old_run(),
        run("guess", "RUNNING", T0),
        run("derived", "FINISHED", T0, T0 + HOUR, usage={"instance_type": "ml.m5.xlarge"}),
    )
    ledger.cycle(T0 + 2 * HOUR)
    assert said(check_used_prices(ledger.store, TODAY)) == [
        ("warning", "catalog ours.csv", "1 run priced by it at prices of 2025-01-02, 690 days old"),
        ("warning", "prices", "2 runs logged no region and were priced as us-east-1"),
    ]
    later = date(2027, 3, 1)
    assert [each[1:] for each in said(check_used_prices(ledger.store, later))] == [
        ("catalog builtin", "1 run priced by it at prices of 2026-07-20, 224 days old"),
        ("prices", "1 run logged no region and was priced as us-east-1"),
    ], "finished runs of more than a month ago say nothing of today"


def test_a_message_says_how_old_its_prices_are(ledger: House) -> None:
    ledger.source.put(old_run(), run("guess", "FINISHED", T0, T0 + HOUR))
    ledger.cycle(T0 + 2 * HOUR)
    with ledger.store.read() as connection:
        (body,) = [row[0] for row in query(connection, "SELECT message FROM notification")]
    assert "prices of 2025-01-02; region assumed: us-east-1" in body


def test_mixed_currencies_are_an_error_line_with_a_remedy(tmp_path: Path) -> None:
    written(tmp_path, ours=OURS.replace("usd_per_hour", "eur_per_hour"))
    (tmp_path / "alerter.yaml").write_text(f"database: sqlite:///{tmp_path}/alerter.db\n")
    done = CliRunner().invoke(app, ["check", "--config", str(tmp_path)])
    assert done.exit_code == 1
    line = next(line for line in done.stdout.splitlines() if "ours.csv" in line and line.startswith("ERROR"))
    assert "is in EUR, prices.yaml in USD" in line
    assert "-> remove it from catalogs, or write currency: EUR" in done.stdout
    assert "Traceback" not in done.output


def test_tokens_that_have_prices_in_another_currency_only_are_an_error(tmp_path: Path) -> None:
    budgets = 'budgets: [{name: llm, amount: "5", period: monthly, components: [tokens], receivers: [console]}]\n'
    config = config_of(tmp_path, budgets, "currency: EUR\ncatalogs: []\n")
    (found,) = check_catalogs(config, date(2026, 11, 23))
    assert (found.level, found.subject) == ("error", "tokens")
    assert "in USD, prices.yaml in EUR" in found.text
    assert found.remedy.startswith("give your own")
    own = 'tokens: [{model: "*", per_million_input: "1", per_million_output: "1"}]\n'
    assert (
        list(check_catalogs(config_of(tmp_path, budgets, f"currency: EUR\ncatalogs: []\n{own}"), date(2026, 11, 23)))
        == []
    )


def test_a_catalog_that_can_not_be_read_is_a_line_too(tmp_path: Path) -> None:
    written(tmp_path, ours="not,a,catalog\n")
    (tmp_path / "alerter.yaml").write_text(f"database: sqlite:///{tmp_path}/alerter.db\n")
    done = CliRunner().invoke(app, ["check", "--config", str(tmp_path)])
    assert done.exit_code == 1
    assert "ours.csv:1: the first line must name the columns" in done.stdout
