"""Runs that begin and end on a real server while it is polled without a pause: each is charged for its own times."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alerter.bootstrap import wire
from alerter.cycle import run_cycle
from alerter.services import Services
from alerter.sources.mlflow_database import MlflowDatabaseSource
from alerter.sources.mlflow_rest import MlflowRestSource
from alerter.store.bulk import query
from alerter.store.engine import Store
from alerter.store.migrate import migrate
from alerter.verify import verify_ledger
from tests.fixtures.mlflow_server import MlflowServer
from tests.truth.ledgers import config_of

RUNS = 60
BUDGETS = "budgets: [{name: all, amount: 100000, period: yearly, receivers: [console]}]\n"
PRICES = 'catalogs: []\nprices: [{match: {instance_type: "*"}, per_instance_hour: "3600"}]\n'
Times = dict[str, tuple[int, int]]


def clock_ms() -> int:
    return round(time.time() * 1000)


@pytest.fixture(params=["rest", "database"])
def services(
    request: pytest.FixtureRequest, mlflow_server: MlflowServer, tmp_path: Path
) -> Iterator[tuple[str, Services]]:
    experiment = mlflow_server.experiment()
    common: dict[str, Any] = {
        "name": "main",
        "tracking_uri": mlflow_server.uri,
        "include": [mlflow_server.experiment_name(experiment)],
        "usage_keys": frozenset({"instance_type"}),
    }
    source = MlflowRestSource(**common, page_size=10)
    if request.param == "database":
        source = MlflowDatabaseSource(**common, backend_store=mlflow_server.store, batch=10)
    with closing(Store(f"sqlite:///{tmp_path / 'alerter.db'}")) as store:
        migrate(store)
        wired = wire(config_of(tmp_path, BUDGETS, PRICES), store, now_ms=clock_ms())
        yield experiment, replace(wired, sources=[source])


def write(server: MlflowServer, experiment: str) -> Times:
    """Let runs begin and end as fast as the server can, each by the clock of its moment."""
    times: Times = {}
    going: list[tuple[str, int]] = []
    for number in range(RUNS):
        start = clock_ms()
        going.append((server.start_run(experiment, start, params={"instance_type": "box"}), start))
        for run, began in going[: bool(number % 3)] if number < RUNS - 1 else going:
            times[run] = began, clock_ms()
            server.set_run(run, "FINISHED", times[run][1])
        going = [each for each in going if each[0] not in times]
    return times


def test_every_run_is_charged_for_its_own_times(services: tuple[str, Services], mlflow_server: MlflowServer) -> None:
    experiment, polled = services
    polls = 0
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write, mlflow_server, experiment)
        while not writing.done():
            assert not run_cycle(polled, clock_ms(), clock=clock_ms).failed
            polls += 1
        times = writing.result()
    assert not run_cycle(polled, clock_ms(), clock=clock_ms).failed
    assert polls > 2
    with polled.ledger.read() as view:
        assert verify_ledger(view).ok
        sql = "SELECT r.run_uuid, SUM(c.cost_nanos) FROM charge c JOIN run r ON r.id = c.run_id GROUP BY r.id"
        charged = {row.run_uuid: row[1] for row in query(view.connection, sql)}
    assert charged == {run: (end - start) * 1_000_000 for run, (start, end) in times.items() if end > start}
