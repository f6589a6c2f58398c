"""Runs within runs: whose time is free, in whatever order they are seen."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import pytest

from alerter.core.nesting import has_own_machine
from alerter.core.usage import RunObservation
from alerter.coverage import measure
from alerter.explain import explain
from alerter.status import status_json
from alerter.verify import verify_ledger
from tests.core.price_tools import machine
from tests.metering.test_stale import BUDGETS, T0
from tests.truth.ledgers import HOUR, House, config_of, house, run

PRICES = """
catalogs: []
prices:
  - {match: {instance_type: m5.xlarge}, per_instance_hour: "1"}
  - {match: {instance_type: p4d.24xlarge}, per_instance_hour: "30"}
"""
NOTHING = {"epochs": "3"}


@pytest.fixture
def home(tmp_path: Path, migrated_sqlite: Path) -> Iterator[House]:
    with house(config_of(tmp_path, BUDGETS, PRICES), migrated_sqlite, T0) as made:
        yield made


@pytest.fixture
def summing(tmp_path: Path, migrated_sqlite: Path) -> Iterator[House]:
    with house(config_of(tmp_path, BUDGETS, PRICES, "metering: {nested: sum}\n"), migrated_sqlite, T0) as made:
        yield made


def spent(home: House, now: int) -> str:
    with home.services.ledger.read() as view:
        assert verify_ledger(view).ok
        return str(status_json(view, now)["budgets"][0]["spent"])


def ended(uuid: str, since: int, until: int, parent: str | None = None, **usage: str) -> RunObservation:
    """A run of some hours."""
    return run(uuid, "FINISHED", T0 + since * HOUR, T0 + until * HOUR, parent=parent, usage=usage or NOTHING)


@pytest.mark.parametrize(
    ("child", "expected"),
    [
        ({}, "4.00"),  # names nothing
        ({"instance_type": "m5.xlarge"}, "4.00"),
        ({"instance_type": "m5.xlarge", "num_nodes": "2"}, "8.00"),
        ({"instance_type": "p4d.24xlarge"}, "64.00"),
        ({"instance_type": "m5.xlarge", "resource_id": "i-2"}, "6.00"),
        ({"instance_type": "m5.xlarge", "resource_id": "i-1"}, "4.00"),
    ],
)
def test_a_nested_run_is_free_unless_it_names_another_machine(
    home: House, child: dict[str, str], expected: str
) -> None:
    home.source.put(ended("p", 0, 4, instance_type="m5.xlarge", resource_id="i-1"), ended("c", 1, 3, "p", **child))
    home.cycle(T0 + 5 * HOUR)
    assert spent(home, T0 + 5 * HOUR) == expected


def test_what_a_run_leaves_out_is_the_machine_above() -> None:
    above = machine(instance_type="m5.xlarge", region="us-east-1")
    assert not has_own_machine(machine(region="us-east-1"), above)
    assert has_own_machine(machine(region="eu-west-1"), above)
    assert not has_own_machine(machine(provider="aws"), above)
    assert has_own_machine(machine(gpu_count="1"), above)


def test_outside_of_the_time_above_it_is_charged_on_the_machine_above(home: House) -> None:
    home.source.put(ended("p", 0, 2, instance_type="m5.xlarge"), ended("c", 1, 5, "p"))
    home.cycle(T0 + 6 * HOUR)
    assert spent(home, T0 + 6 * HOUR) == "5.00"
    with home.services.ledger.read() as view:
        told = explain(view, "c", T0 + 6 * HOUR)
        assert measure(view, T0 + 6 * HOUR).priced_ms == 6 * HOUR
    assert [(each["cost"], each["rule"]) for each in told["charges"]] == [
        ("0.00", "on the machine of the run that it is nested in"),
        ("3.00", "prices.yaml #1 m5.xlarge"),
    ]
    assert told["gaps"] == []


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_order_in_which_a_family_is_seen_changes_nothing(home: House, order: tuple[int, ...]) -> None:
    family = [
        ended("a", 0, 3, instance_type="m5.xlarge"),
        ended("b", 1, 6, "a"),
        ended("c", 2, 8, "b", instance_type="m5.xlarge"),
    ]
    for number, place in enumerate(order):  # the last of them in one batch with all
        home.source.put(family[place])
        home.cycle(T0 + (9 + number) * HOUR)
    # b and c lie beside a; b names no machine, so that a is the nearest above c too.
    assert spent(home, T0 + 12 * HOUR) == "11.00"
    reasons = {str(reason) for (reason,) in home.rows("SELECT reason FROM correction")}
    assert reasons <= {"parent changed"}


def test_a_parent_that_ends_leaves_its_running_child_to_pay(home: House) -> None:
    def poll(hour: int, parent: RunObservation) -> str:
        child = run("c", "RUNNING", T0, parent="p", usage=NOTHING, alive_ms=T0 + hour * HOUR)
        home.source.put(parent, child)
        home.cycle(T0 + hour * HOUR)
        return spent(home, T0 + hour * HOUR)

    running = run("p", "RUNNING", T0)
    assert [poll(hour, running) for hour in (1, 2, 4)] == ["1.00", "2.00", "4.00"]
    assert not home.rows("SELECT * FROM charge")
    assert poll(6, ended("p", 0, 5, instance_type="m5.xlarge")) == "6.00"
    assert poll(9, ended("p", 0, 5, instance_type="m5.xlarge")) == "9.00"
    assert poll(10, ended("p", 0, 3, instance_type="m5.xlarge")) == "10.00"


def test_a_configuration_or_a_tag_of_the_parent_can_add_them_up(home: House, summing: House) -> None:
    parent, child = ended("p", 0, 4, instance_type="m5.xlarge"), ended("c", 1, 3, "p", instance_type="m5.xlarge")
    summing.source.put(parent, child)
    summing.cycle(T0 + 5 * HOUR)
    assert spent(summing, T0 + 5 * HOUR) == "6.00"
    tagged = run(
        "p", "FINISHED", T0, T0 + 4 * HOUR, tags={"alerter.nested": "sum"}, usage={"instance_type": "m5.xlarge"}
    )
    home.source.put(parent, child)
    home.cycle(T0 + 5 * HOUR)
    assert spent(home, T0 + 5 * HOUR) == "4.00"
    home.source.put(tagged)
    home.cycle(T0 + 6 * HOUR)
    assert spent(home, T0 + 6 * HOUR) == "6.00"


def test_a_price_that_has_a_beginning_is_a_price_too(tmp_path: Path, migrated_sqlite: Path) -> None:
    dated = PRICES.replace('"1"}', '"1", effective_from: 2026-01-01}')
    family = [ended("p", 0, 4, instance_type="m5.xlarge"), ended("c", 1, 3, "p", instance_type="m5.xlarge")]
    with house(config_of(tmp_path, BUDGETS, dated), migrated_sqlite, T0, family) as home:
        home.cycle(T0 + 5 * HOUR)
        assert spent(home, T0 + 5 * HOUR) == "4.00"


def test_runs_nested_in_each_other_pay_for_themselves(home: House) -> None:
    home.source.put(ended("a", 0, 2, "b", instance_type="m5.xlarge"), ended("b", 0, 2, "a", instance_type="m5.xlarge"))
    home.source.put(
        ended("c", 0, 1, "c", instance_type="m5.xlarge"), ended("d", 0, 1, "gone", instance_type="m5.xlarge")
    )
    home.cycle(T0 + 6 * HOUR)
    assert spent(home, T0 + 6 * HOUR) == "6.00"
