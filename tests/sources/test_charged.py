"""What runs of an odd shape are charged, whichever way they are read."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from alerter.bootstrap import wire
from alerter.core.money import plain
from alerter.cycle import run_cycle
from alerter.status import budget_status
from alerter.store.engine import Store
from alerter.store.migrate import migrate
from tests.fixtures.mlflow_server import MlflowServer
from tests.sources.poller import HOUR, NOW
from tests.truth.ledgers import config_of

BUDGETS = """
defaults: {receivers: [console]}
budgets: [{name: teams, amount: 100, period: {from: 2001-01-01, to: 2099-01-01}, group_by: [team]}]
"""
BOX = {"instance_type": "box"}
PRICES = 'catalogs: []\nprices: [{match: {instance_type: box}, per_instance_hour: "2"}]\n'


@pytest.mark.parametrize("way", ["server", "backend_store"])
def test_a_run_of_more_tags_than_are_kept_is_its_teams(mlflow_server: MlflowServer, tmp_path: Path, way: str) -> None:
    experiment = mlflow_server.experiment()
    # A script that sets each of its arguments as a tag.
    tags = {f"arg-{number:03}": "0.5" for number in range(99)} | {"team": "vision"}
    mlflow_server.ended_run(experiment, NOW - HOUR, NOW, params=BOX, tags=tags)
    assert spent(mlflow_server, experiment, tmp_path, way) == {"vision": "2.00"}


@pytest.mark.parametrize("way", ["server", "backend_store"])
def test_a_run_that_was_given_a_status_and_no_end(mlflow_server: MlflowServer, tmp_path: Path, way: str) -> None:
    experiment = mlflow_server.experiment(team="vision")
    for metric_ms in (NOW, NOW - 9 * HOUR, NOW + 9 * HOUR, None):
        run = mlflow_server.start_run(experiment, NOW - HOUR, params=BOX, metric_ms=metric_ms)
        mlflow_server.set_run(run, "FINISHED")
    # Up to its last metric; one from before its start or from the future tells nothing.
    assert spent(mlflow_server, experiment, tmp_path, way) == {"vision": "2.00"}


def spent(server: MlflowServer, experiment: str, tmp_path: Path, way: str) -> dict[str, str]:
    """Poll for the first time an hour later; return what each team spent."""
    name = server.experiment_name(experiment)
    store = f", backend_store: '{server.store}'" if way == "backend_store" else ""
    source = f"{{name: main, tracking_uri: '{server.uri}', experiments: {{include: ['{name}']}}{store}}}"
    config = config_of(tmp_path / "config", BUDGETS, PRICES, f"sources: [{source}]\n")
    with closing(Store(f"sqlite:///{tmp_path / 'alerter.db'}")) as ledger:
        migrate(ledger)
        services = wire(config, ledger, now_ms=NOW + HOUR)
        run_cycle(services, NOW + HOUR)
        with services.windows.read() as view:
            return {row.title: plain(row.spent_nanos) for row in budget_status(view, NOW + HOUR)}
