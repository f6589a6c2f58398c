"""Families of runs made by MLflow's own client on a real server, through the real cycle."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import mlflow
import pytest

from alerter.bootstrap import wire
from alerter.cycle import run_cycle
from alerter.explain import explain
from alerter.services import Services
from alerter.sources.mlflow_rest import MlflowRestSource
from alerter.store.engine import Store
from alerter.store.migrate import migrate
from alerter.verify import verify_ledger
from tests.fixtures.mlflow_server import MlflowServer
from tests.truth.ledgers import HOUR, MINUTE, config_of

BUDGETS = """
defaults: {receivers: [console]}
budgets: [{name: all, amount: "100000", period: yearly}]
"""
PRICES = """
catalogs: []
prices: [{match: {instance_type: m5.xlarge}, per_instance_hour: "3600"}]
"""


@dataclass
class Tracked:
    """A daemon's services on one experiment of a real server; a second of a machine costs a unit."""

    experiment: str
    services: Services

    def cycle(self, now_ms: int) -> None:
        report = run_cycle(self.services, now_ms)
        assert not report.failed

    def explained(self, run_id: str, now_ms: int) -> tuple[Decimal, list[list[str | None]]]:
        with self.services.ledger.read() as view:
            assert verify_ledger(view).ok
            found = explain(view, run_id, now_ms)
        return Decimal(found["run"]["cost"]), found["segments"]


@pytest.fixture
def tracked(mlflow_server: MlflowServer, tmp_path: Path) -> Iterator[Tracked]:
    experiment = mlflow_server.experiment()
    name = mlflow_server.experiment_name(experiment)
    config = config_of(tmp_path, BUDGETS, PRICES, f"sources: [{{name: main, tracking_uri: {mlflow_server.uri!r}}}]\n")
    with closing(Store(f"sqlite:///{tmp_path / 'alerter.db'}")) as store, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        migrate(store)
        services = wire(config, store, now_ms=round(time.time() * 1000))
        keys = frozenset({"instance_type", "resource_id"})
        source = MlflowRestSource(name="main", tracking_uri=mlflow_server.uri, include=[name], usage_keys=keys)
        mlflow.set_tracking_uri(mlflow_server.uri)
        mlflow.set_experiment(experiment_id=experiment)
        yield Tracked(experiment, replace(services, sources=[source]))
        while mlflow.active_run():
            mlflow.end_run()


def seconds(run_id: str) -> Decimal:
    info = mlflow.get_run(run_id).info
    return Decimal(info.end_time - info.start_time) / 1000


def test_nested_runs_of_the_real_client(tracked: Tracked) -> None:
    with mlflow.start_run() as parent:
        mlflow.log_param("instance_type", "m5.xlarge")
        with mlflow.start_run(nested=True) as child:
            mlflow.log_metric("loss", 1)
            with mlflow.start_run(nested=True) as grandchild:
                mlflow.log_param("instance_type", "m5.xlarge")
        now = round(time.time() * 1000)
        tracked.cycle(now)
        assert tracked.explained(child.info.run_id, now)[0] == 0
    now = round(time.time() * 1000)
    tracked.cycle(now)
    costs = [tracked.explained(each.info.run_id, now)[0] for each in (parent, child, grandchild)]
    assert costs == [seconds(parent.info.run_id), 0, 0]


def test_a_resumed_run_of_the_real_client_has_no_idle_gap(tracked: Tracked) -> None:
    with mlflow.start_run() as run:
        mlflow.log_param("instance_type", "m5.xlarge")
    first = seconds(run.info.run_id)
    tracked.cycle(round(time.time() * 1000))
    time.sleep(0.2)
    with mlflow.start_run(run_id=run.info.run_id):
        tracked.cycle(resumed := round(time.time() * 1000))
    now = round(time.time() * 1000)
    tracked.cycle(now)
    cost, segments = tracked.explained(run.info.run_id, now)
    end = mlflow.get_run(run.info.run_id).info.end_time
    assert (cost, len(segments)) == (first + Decimal(max(end - resumed, 0)) / 1000, 2)


def test_a_run_that_died_is_counted_to_its_last_metric(tracked: Tracked) -> None:
    client = mlflow.MlflowClient()
    start = round(time.time() * 1000) - 10 * HOUR
    run_id = client.create_run(tracked.experiment, start_time=start).info.run_id
    client.log_param(run_id, "instance_type", "m5.xlarge")
    client.log_metric(run_id, "loss", 1.0, timestamp=start + MINUTE)
    now = round(time.time() * 1000)
    tracked.cycle(now)
    assert tracked.explained(run_id, now)[0] == 60
    client.log_metric(run_id, "loss", 0.5, timestamp=now)
    tracked.cycle(now)
    assert tracked.explained(run_id, now)[0] == Decimal(now - start) / 1000
    client.set_terminated(run_id, end_time=now)
    silent = client.create_run(tracked.experiment, start_time=start).info.run_id
    client.log_param(silent, "instance_type", "m5.xlarge")
    for at in (now + HOUR, now + 30 * HOUR):
        tracked.cycle(at)
    assert tracked.explained(silent, now + 30 * HOUR)[0] == 24 * 3600


def test_runs_of_the_real_client_share_a_machine_also_with_one_that_is_found_late(tracked: Tracked) -> None:
    client = mlflow.MlflowClient()
    start = round(time.time() * 1000) - 10 * HOUR

    def ended(since: int, until: int, **params: str) -> str:
        run_id = client.create_run(tracked.experiment, start_time=start + since * MINUTE).info.run_id
        for name, text in {"instance_type": "m5.xlarge", **params}.items():
            client.log_param(run_id, name, text)
        client.set_terminated(run_id, end_time=start + until * MINUTE)
        return str(run_id)

    runs = [ended(0, 6, resource_id="i-0"), ended(2, 6, resource_id="i-0")]
    tagged = ended(4, 6)
    client.set_tag(tagged, "resource_id", "i-0")
    now = round(time.time() * 1000)
    tracked.cycle(now)
    assert [tracked.explained(each, now)[0] for each in (*runs, tagged)] == [220, 100, 40]
    runs.append(ended(4, 9, resource_id="i-0"))
    tracked.cycle(now := round(time.time() * 1000))
    costs = [tracked.explained(each, now)[0] for each in (*runs, tagged)]
    assert costs == [210, 90, 210, 30]
    assert sum(costs) == 9 * 60
