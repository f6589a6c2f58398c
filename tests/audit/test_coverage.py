"""Coverage is by run time: an hour of a run counts once, whatever it is made of."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from alerter.core.charges import Confidence
from alerter.core.coverage import RunTime
from alerter.core.usage import RunObservation
from alerter.coverage import Coverage, coverage_json, coverage_lines, measure
from alerter.unpriced import top_unpriced, unpriced_json
from tests.audit.tools import BUDGETS, HOUR, PRICES, alerter, ms
from tests.truth.ledgers import House, config_of, house, run

NOON = ms("2026-11-23T12:00Z")
MONTH = ms("2026-11-01T00:00+01:00")
PARTS = {"gpu_count": "1", "gpu_type": "T4", "cpu_cores": "8", "memory_gb": "16"}


@pytest.fixture
def home(tmp_path: Path, migrated_sqlite: Path) -> Iterator[House]:
    config = config_of(
        tmp_path / "config", BUDGETS, PRICES, f"database: sqlite:///{tmp_path}/alerter.db\ntags: {{casefold: [team]}}\n"
    )
    with house(config, migrated_sqlite, NOON) as found:
        yield found


def coverage(home: House) -> Coverage:
    with home.services.windows.read() as view:
        return measure(view, NOON)


def ended(uuid: str, hours: float, usage: dict[str, str], **tags: str) -> RunObservation:
    return run(uuid, "FINISHED", NOON - round(hours * HOUR), NOON, usage=usage, tags={"team": "vision"} | tags)


def test_a_run_with_three_parts_counts_its_hours_once(home: House) -> None:
    home.source.put(ended("a", 2, PARTS))
    home.cycle(NOON)
    found = coverage(home)
    assert found.time_ms[Confidence.HIGH] == found.whole_ms == 2 * HOUR


def test_one_part_without_a_price_makes_the_hour_a_gap(home: House) -> None:
    home.source.put(ended("a", 2, PARTS | {"gpu_type": "H100"}), ended("b", 6, {"instance_type": "m5.xlarge"}))
    home.cycle(NOON)
    found = coverage_json(coverage(home))
    assert found["priced_percent"] == 75.0
    assert found["hours"] == {"priced": 6.0, "low_confidence": 0.0, "unpriced": 2.0, "suspected_stale": 0.0}
    assert found["gaps"] == [
        {"meter": "gpu", "missing": "no per_gpu_hour H100 price in resources", "hours": 2.0, "runs": 1}
    ]


def test_low_confidence_and_untagged_have_shares_of_their_own(home: House) -> None:
    unreadable = {"instance_type": "m5.xlarge", "num_nodes": "four"}
    home.source.put(ended("a", 1, unreadable), ended("b", 3, {"instance_type": "m5.xlarge"}, team=" "))
    home.cycle(NOON)
    found = coverage_json(coverage(home))
    assert found["hours"]["low_confidence"] == 1.0
    assert found["untagged"] == [{"budget": "every-team", "percent": 75.0, "hours": 3.0}]
    (line,) = coverage_lines(coverage(home))
    assert line == "100 % of 4.0 run-hours this month priced · 25 % with low confidence · 75 % untagged in every-team"


def test_what_was_corrected_counts_as_it_stands(home: House) -> None:
    home.source.put(ended("a", 2, {"instance_type": "x9.huge"}))
    home.cycle(NOON)
    assert coverage(home).time_ms[Confidence.GAP] == 2 * HOUR
    home.source.put(ended("a", 2, {"instance_type": "m5.xlarge"}, team="nlp"))
    home.cycle(NOON + HOUR)
    found = coverage(home)
    assert (found.time_ms[Confidence.HIGH], found.whole_ms, found.gaps) == (2 * HOUR, 2 * HOUR, ())


def test_only_this_month_counts_and_running_time_too(home: House) -> None:
    home.source.put(
        run("old", "FINISHED", MONTH - 9 * HOUR, MONTH + HOUR),
        run("new", "RUNNING", NOON - 3 * HOUR, tags={"team": "vision"}, alive_ms=NOON),
    )
    home.cycle(NOON)
    assert coverage(home).whole_ms == 4 * HOUR
    assert coverage(home).window == (MONTH, NOON)


def test_nothing_yet(home: House) -> None:
    assert coverage_json(coverage(home))["priced_percent"] == 100.0
    assert list(coverage_lines(coverage(home))) == ["no run time this month"]


FIXES = [
    ({"instance_type": "x9.huge"}, '- {match: {instance_type: "x9.huge"}, per_instance_hour: "1.50"}'),
    (
        {"instance_type": "x9.huge", "region": "eu-1", "spot": "true"},
        '- {match: {instance_type: "x9.huge", region: "eu-1", purchase_option: "spot"}, per_instance_hour: "1.50"}',
    ),
    ({"epochs": "3"}, 'mlflow.log_param("instance_type", "m5.xlarge")'),
    ({"gpu_count": "1", "gpu_type": "H100"}, 'per_gpu_hour: {"H100": "1.50"}'),
    ({"gpu_memory_gb": "16"}, 'per_gpu_gib_hour: "1.50"'),
    ({"instance_type": "onprem-1"}, 'mlflow.log_param("cpu_cores", "8")'),
    ({"instance_type": "onprem-1", "memory_gb": "16"}, 'per_gib_hour: "1.50"'),
    ({"memory_gb": "lots"}, 'mlflow.log_param("memory_gb", "32Gi")'),
    ({"cpu_limit": "lots", "gpu_count": "1", "gpu_type": "T4"}, 'mlflow.log_param("cpu_limit", "8")'),
    (
        {"provider": "databricks", "instance_type": "m5.xlarge", "dbus": "2"},
        '- {match: {provider: "databricks"}, per_dbu: "1.50"}',
    ),
]


@pytest.mark.parametrize(("usage", "line"), FIXES)
def test_each_gap_names_the_line_that_closes_it(home: House, tmp_path: Path, usage: dict[str, str], line: str) -> None:
    home.source.put(ended("a", 2, usage, experiment="hpo"))
    home.cycle(NOON)
    with home.services.windows.read() as view:
        (found,) = unpriced_json(top_unpriced(view, home.services.pricer, home.config.usage_keys, NOON, limit=5))
    assert (found["experiment"], found["hours"], found["example_run"]) == ("hpo", 2.0, "a")
    (fix,) = found["fixes"]
    assert fix["line"].replace('"..."', '"1.50"') == line
    # And it does: with the line where it says, a run like it has a price.
    prices, logged = PRICES, dict(usage)
    if fix["where"] == "training code":
        key, value = (each.strip('"') for each in line.removeprefix("mlflow.log_param(").removesuffix(")").split(", "))
        logged[key] = value
    elif fix["where"] == "prices.yaml, prices":
        prices = prices.replace("prices:\n", f"prices:\n  {line}\n")
    elif fix["where"] == "prices.yaml, resources":
        old = 'per_gpu_hour: {"T4": "0.35"}'
        prices = prices.replace(old, line if line.startswith("per_gpu_hour") else f"{old}, {line}")
    else:
        assert fix["where"] == "prices.yaml, in #2 onprem-*"
        prices = prices.replace('per_vcpu_hour: "0.02"', f'per_vcpu_hour: "0.02", {line}')
    home.restart(NOON, config_of(tmp_path / "mended", BUDGETS, prices))
    home.source.put(run("b", "FINISHED", NOON - HOUR, NOON, usage=logged))
    home.cycle(NOON + HOUR)
    with home.services.windows.read() as view:
        left = top_unpriced(view, home.services.pricer, home.config.usage_keys, NOON + HOUR, limit=5)
    assert all(each.example != "b" for each in left)
    assert {run_id for each in left for run_id in each.runs} <= {1}


def test_the_longest_comes_first_and_commands_print_it(home: House, tmp_path: Path) -> None:
    home.source.put(
        ended("a", 1, {"instance_type": "x9.huge"}, experiment="small"),
        *(ended(f"b{each}", 3, {"instance_type": "x8.huge"}, experiment="big\nevil") for each in range(2)),
    )
    home.source.put(*(replace(home.source.runs[each], experiment_id="2") for each in ("b0", "b1")))
    home.cycle(NOON)
    config = tmp_path / "config"
    path = home.store.sqlite_path()
    text = (config / "alerter.yaml").read_text()
    (config / "alerter.yaml").write_text(text.replace(f"{tmp_path}/alerter.db", str(path)))
    now = ("--now", "2026-11-23T12:00Z")
    found = json.loads(alerter("top", "--unpriced", "--json", *now, config=config))["unpriced"]
    assert [(each["experiment"], each["hours"], each["runs"]) for each in found] == [
        ("big\nevil", 6.0, 2),
        ("small", 1.0, 1),
    ]
    shown = alerter("top", "--unpriced", *now, config=config)
    assert "big evil  6.0 run-hours without a price, 2 runs, such as b0" in shown
    assert '    prices.yaml, prices:  - {match: {instance_type: "x9.huge"}, per_instance_hour: "..."}' in shown
    assert "metering.keys" not in shown  # all of them say which machine they ran on
    status = alerter("status", *now, config=config)
    assert "0 % of 7.0 run-hours this month priced" in status
    assert "no price: machine of 2 runs (no price for instance type x8.huge in aws us-east-1), and 1 more" in status
    assert json.loads(alerter("status", "--json", *now, config=config))["coverage"]["gaps"][0]["runs"] == 2
    home.source.put(ended("c", 1, {"vm_size": "x9.huge"}))
    home.cycle(NOON)
    assert "under another name: add that to `metering.keys`" in alerter("top", "--unpriced", *now, config=config)


SPANS = st.tuples(st.integers(0, 20), st.integers(0, 20), st.sampled_from(Confidence))


@given(st.lists(SPANS, max_size=12), st.data())
def test_time_is_what_a_walk_over_every_instant_finds(
    spans: list[tuple[int, int, Confidence]], data: st.DataObject
) -> None:
    undone = data.draw(st.lists(st.sampled_from(spans), unique=True)) if spans else []
    time: RunTime[str] = RunTime()
    for start, end, level in spans:
        time.add("run", start, end, level)
    left = list(spans)
    for each in undone:
        time.add("run", each[0], each[1], each[2], -1)
        left.remove(each)
    wanted = dict.fromkeys(Confidence, 0)
    for at in range(20):
        levels = {level for start, end, level in left if start <= at < end}
        for level in (Confidence.GAP, Confidence.LOW, Confidence.HIGH):
            if level in levels:
                wanted[level] += 1
                break
    assert time.total() == wanted
