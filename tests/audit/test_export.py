"""The export is the ledger: every nano of it, in FOCUS's columns, and nothing that a spreadsheet runs."""

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from alerter.core.money import NANOS
from alerter.export import COLUMNS, Exported, export_csv, neutral, unit_of
from tests.audit.tools import BUDGETS, HOUR, PRICES, alerter, ms
from tests.truth.ledgers import House, config_of, house, run

NOON = ms("2026-11-23T12:00Z")
MONTH = ms("2026-11-01T00:00Z")
EVER = (-(2**62), 2**62)
PARTS = {"gpu_count": "3", "gpu_type": "T4", "cpu_cores": "7", "memory_gb": "13", "region": "eu-west-1"}
INSTANT = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")


@pytest.fixture
def home(tmp_path: Path, migrated_sqlite: Path) -> Iterator[House]:
    config = config_of(tmp_path / "config", BUDGETS, PRICES, f"database: sqlite:///{tmp_path}/none.db\n")
    with house(config, migrated_sqlite, NOON) as found:
        found.source.put(
            run("a", "FINISHED", MONTH - 7 * HOUR - 1, MONTH + 11 * HOUR + 7, usage=PARTS, tags={"team": "vision"}),
            run("b", "FINISHED", NOON - 5 * HOUR, NOON - 1234, tags={"team": "nlp", "=1+1": "=2"}),
            run("c", "FINISHED", NOON - 3 * HOUR, NOON, usage={"instance_type": "x9.huge"}),
            run(
                "d", "RUNNING", MONTH - HOUR, alive_ms=NOON, usage={"instance_type": "m5.xlarge", "resource_id": "i-1"}
            ),
        )
        found.cycle(NOON)
        found.source.put(run("b", "FINISHED", NOON - 5 * HOUR, NOON - 1234, tags={"team": "vision"}))
        found.source.put(
            run("a", "FINISHED", MONTH - 7 * HOUR - 1, MONTH + 11 * HOUR + 7, usage=PARTS, tags={"team": "late"})
        )
        found.cycle(NOON + HOUR)
        yield found


def export(
    home: House, window: tuple[int, int] = EVER, now_ms: int = NOON + HOUR
) -> tuple[list[dict[str, str]], Exported]:
    out = io.StringIO(newline="")
    with home.services.windows.read() as view:
        done = export_csv(view, home.services.pricer, window, now_ms, out)
    rows = list(csv.DictReader(io.StringIO(out.getvalue(), newline="")))
    assert len(rows) == done.rows
    return rows, done


def nanos(rows: list[dict[str, str]], column: str = "EffectiveCost") -> int:
    return int(sum((Decimal(each[column]) for each in rows), Decimal(0)) * NANOS)


def test_what_is_settled_sums_to_the_charges_to_the_nano(home: House) -> None:
    rows, done = export(home)
    ((settled,),) = home.rows("SELECT SUM(cost_nanos) FROM charge")
    assert nanos([each for each in rows if each["x_Settled"] == "true"]) == settled
    assert nanos(rows) == done.nanos
    by_run = home.rows("SELECT r.run_uuid, SUM(c.cost_nanos) FROM charge c JOIN run r ON r.id = c.run_id GROUP BY 1")
    for uuid, cost in by_run:
        assert nanos([each for each in rows if each["x_RunId"] == uuid and each["x_Settled"] == "true"]) == cost


def test_two_windows_sum_to_the_whole(home: House) -> None:
    whole, _ = export(home)
    for at in (MONTH, MONTH + 1, NOON - 2 * HOUR - 77):
        parts = [*export(home, (EVER[0], at))[0], *export(home, (at, EVER[1]))[0]]
        assert nanos(parts) == nanos(whole)
        assert nanos(parts, "ListCost") == nanos(whole, "ListCost")


def test_the_columns_are_focus_ones_in_its_formats(home: House) -> None:
    rows, _ = export(home)
    assert tuple(rows[0]) == COLUMNS
    assert all(re.fullmatch(r"([A-Z][A-Za-z]+|x_[A-Z][A-Za-z]+)", each) for each in COLUMNS)
    for row in rows:
        assert row["ChargeCategory"] == "Usage"
        assert row["ChargeClass"] in {"", "Correction"}
        for column in ("ChargePeriodStart", "ChargePeriodEnd", "BillingPeriodStart", "BillingPeriodEnd"):
            assert INSTANT.fullmatch(row[column])
        times = ("BillingPeriodStart", "ChargePeriodStart", "ChargePeriodEnd", "BillingPeriodEnd")
        begins, start, end, ends = (datetime.fromisoformat(row[column]) for column in times)
        assert begins <= start < end <= ends
        for column in ("EffectiveCost", "ListCost", "ContractedCost", "ListUnitPrice", "PricingQuantity"):
            assert re.fullmatch(r"-?\d+(\.\d+)?|", row[column])
        json.loads(row["Tags"])
        if row["ListUnitPrice"]:
            listed = Decimal(row["ListUnitPrice"]) * Decimal(row["PricingQuantity"])
            assert abs(listed - Decimal(row["ListCost"])) < Decimal("0.00000001")


def test_a_row_says_what_it_is_for(home: House) -> None:
    rows, _ = export(home)
    (running,) = [each for each in rows if each["x_RunId"] == "d" and each["BillingPeriodStart"].startswith("2026-11")]
    assert (running["ResourceId"], running["ResourceType"], running["x_Settled"]) == ("i-1", "Machine", "false")
    assert (running["ListUnitPrice"], running["ContractedUnitPrice"]) == ("0.192", "0.096")
    assert Decimal(running["ListCost"]) == 2 * Decimal(running["EffectiveCost"])
    (gpu, *_) = [each for each in rows if each["x_RunId"] == "a" and each["SkuMeter"] == "gpu"]
    assert (gpu["ConsumedUnit"], gpu["RegionId"], gpu["ResourceName"]) == ("GPU-Hours", "eu-west-1", "name of a")
    assert gpu["ServiceCategory"] == "AI and Machine Learning"
    (gap,) = [each for each in rows if each["x_RunId"] == "c"]
    assert (gap["x_Confidence"], gap["EffectiveCost"], gap["ListUnitPrice"]) == ("gap", "0.00", "")
    assert gap["ConsumedQuantity"] == "3"
    assert gap["ChargeDescription"] == (
        "machine of MLflow run name of c, not priced: no price for instance type x9.huge in aws us-east-1"
    )


def test_corrections_are_marked_and_those_of_past_months_have_focus_class(home: House) -> None:
    rows, _ = export(home)
    late = [each for each in rows if each["x_RunId"] == "a" and each["x_CorrectionReason"]]
    assert {each["x_CorrectionReason"] for each in late} == {"tags changed"}
    assert {each["ChargeClass"] for each in late if each["BillingPeriodStart"].startswith("2026-10")} == {"Correction"}
    assert {each["ChargeClass"] for each in late if each["BillingPeriodStart"].startswith("2026-11")} == {""}
    assert nanos(late) == 0  # reversed and charged again, to another team
    assert any(each["PricingQuantity"].startswith("-") for each in late)


@pytest.mark.parametrize(
    "text", ["=cmd|' /C calc'!A0", "+1", "-2", "@SUM(A1)", " =1", "\t=1", "\r=1", "\N{FULLWIDTH EQUALS SIGN}1"]
)
def test_no_text_is_a_formula(text: str) -> None:
    assert neutral(text) == f"'{text}"


def test_a_hostile_name_stays_text_in_the_file(home: House) -> None:
    evil = replace(run("e", "FINISHED", NOON - HOUR, NOON), name='=HYPERLINK("http://evil","x")\n,"')
    home.source.put(evil)
    home.cycle(NOON + 2 * HOUR)
    rows, _ = export(home)
    (row,) = [each for each in rows if each["x_RunId"] == "e"]
    assert row["ResourceName"] == "'" + evil.name
    texts = {each for each in COLUMNS if not re.search("Cost|Price$|Quantity", each)}
    assert not [each[column] for each in rows for column in texts if each[column].startswith(("=", "+", "-", "@"))]


def test_units() -> None:
    units = ("node-hour", "vcpu-hour", "gib-hour", "gpu-gib-hour", "run-hour", "dbu", "gib-month")
    assert [unit_of(each) for each in units] == [
        "Node-Hours",
        "VCPU-Hours",
        "GiB-Hours",
        "GPU-GiB-Hours",
        "Run-Hours",
        "DBU",
        "GiB-Months",
    ]


def test_the_command(home: House, tmp_path: Path) -> None:
    config = tmp_path / "config"
    (config / "alerter.yaml").write_text(f"database: sqlite:///{home.store.sqlite_path()}\n")
    out = tmp_path / "ledger.csv"
    now = ("--now", "2026-11-23T13:00Z")
    said = alerter(
        "ledger", "export", "--from", "2026-11-01", "--to", "2026-12-01", "--out", str(out), *now, config=config
    )
    assert f"{out}: " in said
    assert out.read_bytes().endswith(b"\r\n")
    rows = list(csv.DictReader(io.StringIO(out.read_bytes().decode(), newline="")))
    expected, _ = export(home, (MONTH, ms("2026-12-01T00:00Z")))
    assert rows == expected
    assert list(tmp_path.glob("*.part")) == []
    assert (
        alerter("ledger", "export", "--from", "2026-11-01", "--to", "2026-12-01", *now, config=config).count("\n")
        == len(rows) + 1
    )
    assert "must be before" in alerter(
        "ledger", "export", "--from", "2026-12-01", "--to", "2026-11-01", config=config, code=2
    )
    assert "can't be written" in alerter(
        "ledger", "export", "--out", str(tmp_path / "no" / "x.csv"), config=config, code=1
    )
