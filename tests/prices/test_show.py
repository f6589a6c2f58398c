"""`alerter prices show`: the price that runs are charged, its rule, and what else is known."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from alerter.cli.app import app

BUDGETS = 'budgets: [{name: all, amount: "1", period: monthly, receivers: [console]}]\n'
PRICES = """
catalogs: [{file: ours.csv}, builtin]
prices:
  - {match: {instance_type: p4d.24xlarge}, per_instance_hour: "32.7726", effective_to: 2025-06-01}
  - {match: {instance_type: dgx-a100}, per_gpu_hour: "2.50"}
multipliers: [{match: {"tag.team": research}, factor: "0.5", reason: grant}]
"""
OURS = """provider,region,instance_type,purchase_option,usd_per_hour,as_of
aws,eu-west-1,p4d.24xlarge,on_demand,23.92,2025-01-02
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "budgets.yaml").write_text(BUDGETS)
    (tmp_path / "prices.yaml").write_text(PRICES)
    (tmp_path / "ours.csv").write_text(OURS)
    return tmp_path


def show(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["prices", "show", *arguments, "--config", str(folder)])


def shown(folder: Path, *arguments: str) -> Any:  # noqa: ANN401 - JSON
    return json.loads(show(folder, *arguments, "--json").stdout)


def test_a_price_on_both_sides_of_its_date(folder: Path) -> None:
    before, after = (shown(folder, "p4d.24xlarge", "--at", day) for day in ("2025-05-31", "2025-06-01"))
    assert (before["prices"][0]["unit_price"], before["prices"][0]["rule"]) == (
        "32.7726",
        "prices.yaml #1 p4d.24xlarge",
    )
    assert after["prices"][0]["unit_price"] == "21.957642"
    assert after["prices"][0]["note"] == "region assumed: us-east-1"
    assert [(row["catalog"], row["region"]) for row in after["others"]] == [
        ("builtin", "us-east-1"),
        ("ours.csv", "eu-west-1"),
    ]


def test_region_option_and_tags_are_those_of_a_run(folder: Path) -> None:
    found = shown(folder, "p4d.24xlarge", "--region", "EU-West-1", "--option", "Spot", "--tag", "team=research")
    (price,) = found["prices"]
    assert (price["unit_price"], price["list_unit_price"], price["confidence"], price["old"]) == (
        "11.96",
        "23.92",
        "low",
        True,
    )
    assert (found["region"], found["purchase_option"]) == ("eu-west-1", "spot")


def test_people_read_price_rule_and_age(folder: Path) -> None:
    done = show(folder, "p4d.24xlarge", "--region", "eu-west-1")
    assert done.exit_code == 0
    assert "23.92 USD per node-hour" in done.stdout
    assert "ours.csv aws eu-west-1 p4d.24xlarge on_demand" in done.stdout
    assert "2025-01-02, " in done.stdout
    assert "days old: import newer ones" in done.stdout


def test_a_derived_type_shows_what_it_is_derived_from(folder: Path) -> None:
    found = shown(folder, "ml.p4d.24xlarge")
    assert found["prices"][0]["rule"].startswith("derived ml.p4d.24xlarge = builtin")
    assert {row["instance_type"] for row in found["others"]} == {"p4d.24xlarge"}


@pytest.mark.parametrize(("wrong", "right"), [("p4d.24xlrge", "p4d.24xlarge"), ("dgx-a10", "dgx-a100")])
def test_a_type_without_a_price_names_what_is_close(folder: Path, wrong: str, right: str) -> None:
    done = show(folder, wrong)
    assert done.exit_code == 1
    assert f"no price for instance type {wrong} in aws us-east-1" in done.stderr
    assert f"did you mean {right}" in done.stderr
    assert shown(folder, wrong)["did_you_mean"][0] == right


def test_bad_options_say_how_to_write_them(folder: Path) -> None:
    assert "write it like team=research" in show(folder, "m5.xlarge", "--tag", "research").stderr
    assert "is not an ISO time" in show(folder, "m5.xlarge", "--at", "soon").stderr
    assert "not a name" in show(folder, "m5\n.xlarge").stderr
