"""Runs on one machine: each pays an equal part, to the nano, in whatever order they are seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise, permutations
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from alerter.core.usage import RunObservation
from alerter.coverage import measure
from alerter.explain import explain
from alerter.status import status_json
from alerter.store.engine import Store
from alerter.verify import verify_ledger
from tests.metering.test_stale import BUDGETS, T0
from tests.truth.ledgers import HOUR, FakeSource, House, config_of, house, run, services_of

PRICES = """
catalogs: []
prices:
  - {match: {instance_type: m5.xlarge}, per_instance_hour: "1"}
  - {match: {instance_type: p4d.24xlarge}, per_instance_hour: "30.0000000007"}
"""
M5 = {"instance_type": "m5.xlarge", "resource_id": "i-1"}
P4D = {"instance_type": "p4d.24xlarge", "resource_id": "i-1"}


@pytest.fixture
def home(tmp_path: Path, migrated_sqlite: Path) -> Iterator[House]:
    with house(config_of(tmp_path, BUDGETS, PRICES), migrated_sqlite, T0) as made:
        yield made


def ended(uuid: str, since: float, until: float, parent: str | None = None, **usage: str) -> RunObservation:
    """A run of some hours."""
    start, end = round(T0 + since * HOUR), round(T0 + until * HOUR)
    return run(uuid, "FINISHED", start, end, parent=parent, usage=usage or M5)


def spent(home: House, now: int) -> str:
    with home.services.ledger.read() as view:
        assert verify_ledger(view).ok
        return str(status_json(view, now)["budgets"][0]["spent"])


def costs(home: House, now: int, *names: str) -> list[str]:
    with home.services.ledger.read() as view:
        return [str(explain(view, name, now)["run"]["cost"]) for name in names]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_each_pays_an_equal_part_in_whatever_order_they_are_seen(home: House, order: tuple[int, ...]) -> None:
    runs = [ended("a", 0, 6), ended("b", 2, 4), ended("c", 3, 8)]
    for number, place in enumerate(order):
        home.source.put(runs[place])
        home.cycle(T0 + (9 + number) * HOUR)
    now = T0 + 12 * HOUR
    # a alone 2 h, with b 1 h, with both 1 h, with c 2 h; c alone another 2 h.
    assert costs(home, now, "a", "b", "c") == ["3.833333334", "0.833333333", "3.333333333"]
    assert spent(home, now) == "8.00"
    reasons = {str(reason) for (reason,) in home.rows("SELECT reason FROM correction")}
    assert reasons == {"machine shared"}


def test_explain_says_who_shares(home: House) -> None:
    home.source.put(ended("a", 0, 3), ended("b", 0, 3), ended("c", 0, 3))
    home.cycle(T0 + 4 * HOUR)
    with home.services.ledger.read() as view:
        told = explain(view, "b", T0 + 4 * HOUR)
    (charge,) = told["charges"]
    assert charge["share"] == "1/3 of the machine, shared with 2 other runs"
    assert (charge["cost"], charge["quantity"], charge["unit_price"]) == ("1.00", "1", "1")


def test_a_machine_is_one_source_and_one_id(home: House) -> None:
    home.source.put(ended("a", 0, 2), ended("b", 0, 2, instance_type="m5.xlarge", resource_id="i-2"))
    home.source.put(ended("c", 0, 2, instance_type="m5.xlarge"), ended("d", 2, 4))
    home.cycle(T0 + 4 * HOUR)
    assert costs(home, T0 + 4 * HOUR, "a", "b", "c", "d") == ["2.00"] * 4


def test_each_pays_its_part_of_its_own_rate_and_what_has_no_price_has_no_part(home: House) -> None:
    home.source.put(ended("a", 0, 2), ended("b", 0, 2, **P4D), ended("c", 0, 2, resource_id="i-1"))
    home.cycle(T0 + 4 * HOUR)
    assert costs(home, T0 + 4 * HOUR, "a", "b", "c") == ["1.00", "30.00", "0.00"]
    with home.services.ledger.read() as view:
        assert measure(view, T0 + 4 * HOUR).priced_ms == 4 * HOUR


def test_running_runs_share_what_accrues_and_a_run_that_ends_leaves_the_rest_to_the_others(home: House) -> None:
    def poll(hours: int, *runs: RunObservation) -> list[str]:
        home.source.put(*runs)
        home.cycle(now := T0 + hours * HOUR)
        before = home.everything()
        home.cycle(now)
        assert home.everything() == before
        return [*costs(home, now, "a", "b"), spent(home, now)]

    home.source.put(run("a", "RUNNING", T0, usage=M5))
    home.cycle(T0 + 2 * HOUR)
    assert spent(home, T0 + 2 * HOUR) == "2.00"
    assert poll(4, run("b", "RUNNING", T0, usage=M5)) == ["2.00", "2.00", "4.00"]
    assert poll(6, run("b", "FINISHED", T0, T0 + 5 * HOUR, usage=M5)) == ["3.50", "2.50", "6.00"]
    assert poll(8) == ["5.50", "2.50", "8.00"]
    # Another id: b was never there.
    other = {"instance_type": "m5.xlarge", "resource_id": "i-2"}
    assert poll(9, run("b", "FINISHED", T0, T0 + 5 * HOUR, usage=other)) == ["9.00", "5.00", "14.00"]


def test_a_suspect_shares_up_to_its_last_sign_of_life_and_again_when_it_wakes(home: House) -> None:
    def poll(hours: int, alive: int) -> list[str]:
        home.source.put(run("a", "RUNNING", T0, usage=M5, alive_ms=T0 + hours * HOUR))
        home.source.put(run("b", "RUNNING", T0, usage=M5, alive_ms=T0 + alive * HOUR))
        home.cycle(now := T0 + hours * HOUR)
        assert spent(home, now) == f"{hours}.00"
        return costs(home, now, "a", "b")

    assert poll(4, 2) == ["2.00", "2.00"]
    assert poll(6, 2) == ["5.00", "1.00"]
    assert poll(8, 8) == ["4.00", "4.00"]


def test_a_logged_cost_is_its_runs_own(tmp_path: Path, migrated_sqlite: Path) -> None:
    prices = PRICES + "logged_cost: {metrics: [cost_usd]}\n"
    logged = replace(ended("b", 0, 2), costs=(("metric.cost_usd", "7"),))
    with house(config_of(tmp_path, BUDGETS, prices), migrated_sqlite, T0, [ended("a", 0, 2), logged]) as home:
        home.cycle(T0 + 4 * HOUR)
        assert costs(home, T0 + 4 * HOUR, "a", "b") == ["2.00", "7.00"]


def test_a_nested_run_shares_the_machine_above_once_it_pays_itself(home: House) -> None:
    # The child is free up to 4 h, then it is on its parent's machine, which another run uses from 3 h on.
    home.source.put(ended("p", 0, 4), ended("c", 1, 5, "p", epochs="3"), ended("q", 3, 5))
    home.cycle(T0 + 6 * HOUR)
    assert costs(home, T0 + 6 * HOUR, "p", "c", "q") == ["3.50", "0.50", "1.00"]
    home.source.put(ended("p", 0, 2))
    home.cycle(T0 + 7 * HOUR)
    assert costs(home, T0 + 7 * HOUR, "p", "c", "q") == ["2.00", "2.00", "1.00"]
    assert spent(home, T0 + 7 * HOUR) == "5.00"


def test_runs_on_a_databricks_cluster_share_it(home: House) -> None:
    cluster = {"instance_type": "m5.xlarge", "mlflow.databricks.cluster.id": "0923-meows"}
    home.source.put(ended("a", 0, 2, **cluster), ended("b", 0, 2, **cluster))
    home.cycle(T0 + 4 * HOUR)
    assert costs(home, T0 + 4 * HOUR, "a", "b") == ["1.00", "1.00"]


def test_a_host_name_is_a_machine_where_the_configuration_says_so(tmp_path: Path, migrated_sqlite: Path) -> None:
    alerter = "metering: {keys: {resource_id: [resource_id, host]}}\n"
    for folder, text, expected in (("no", "", "4.00"), ("yes", alerter, "2.00")):
        config = config_of(tmp_path / folder, BUDGETS, PRICES, text)
        usage = {"instance_type": "m5.xlarge", "host": "gpu-07"}
        with house(config, migrated_sqlite, T0, [ended("a", 0, 2, **usage), ended("b", 0, 2, **usage)]) as home:
            home.cycle(T0 + 4 * HOUR)
            assert spent(home, T0 + 4 * HOUR) == expected


spans = st.tuples(st.integers(0, 9 * HOUR), st.integers(1, 5 * HOUR))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(spans, min_size=1, max_size=7), st.randoms(use_true_random=False))
def test_the_parts_sum_to_the_machines_cost_for_the_union_of_the_times(
    tmp_path: Path, migrated_sqlite: Path, drawn: list[tuple[int, int]], chance: Random
) -> None:
    runs = [run(f"r{n}", "FINISHED", T0 + start, T0 + start + span, usage=P4D) for n, (start, span) in enumerate(drawn)]
    shuffled = chance.sample(runs, len(runs))
    with house(config_of(tmp_path, BUDGETS, PRICES), migrated_sqlite, T0) as home:
        for number, each in enumerate(shuffled):
            home.source.put(each)
            home.cycle(T0 + (20 + number) * HOUR)
        (total,) = home.rows("SELECT SUM(cost_nanos) FROM charge")
        with home.services.ledger.read() as view:
            assert verify_ledger(view).ok
    edges = sorted({at for each in runs for at in (each.start_ms, each.end_ms or 0)})
    held = [
        (since, until)
        for since, until in pairwise(edges)
        if any(each.start_ms <= since < (each.end_ms or 0) for each in runs)
    ]
    # 30.0000000007 an hour in nanos, rounded once for each stretch in which the same runs share.
    assert total == (sum(round_half_even(300_000_000_007 * (until - since), 10 * HOUR) for since, until in held),)


def round_half_even(numerator: int, denominator: int) -> int:
    whole, rest = divmod(numerator, denominator)
    return whole + (2 * rest > denominator or (2 * rest == denominator and whole % 2))


def test_the_same_on_every_database(tmp_path: Path, store: Store) -> None:
    config, source = config_of(tmp_path, BUDGETS, PRICES), FakeSource()
    home = House(config, store, source, services_of(config, store, source, T0))
    source.put(run("a", "RUNNING", T0, usage=P4D, alive_ms=T0 + HOUR), run("b", "RUNNING", T0, usage=P4D))
    for hours in (2, 6):  # a is suspected stale by then
        home.cycle(T0 + hours * HOUR)
    source.put(run("a", "RUNNING", T0, usage=P4D, alive_ms=T0 + 7 * HOUR), ended("c", 3, 5, **P4D))
    source.put(ended("late", 9, 1, **P4D))
    home.cycle(T0 + 7 * HOUR)
    assert spent(home, T0 + 7 * HOUR) == "210.000000004"
    assert costs(home, T0 + 7 * HOUR, "a", "b", "c") == ["95.000000003", "95.000000001", "20.00"]
    with home.services.ledger.read() as view:
        assert measure(view, T0 + 7 * HOUR).clamped == 1
