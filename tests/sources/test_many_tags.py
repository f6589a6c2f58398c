"""A script that sets each of its arguments as a tag: the one that a budget is for counts all the same."""

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
PRICES = 'catalogs: []\nprices: [{match: {instance_type: box}, per_instance_hour: "2"}]\n'


@pytest.mark.parametrize("way", ["server", "backend_store"])
def test_a_run_of_more_tags_than_are_kept_is_its_teams(mlflow_server: MlflowServer, tmp_path: Path, way: str) -> None:
    experiment = mlflow_server.experiment()
    tags = {f"arg-{number:03}": "0.5" for number in range(99)} | {"team": "vision"}
    mlflow_server.ended_run(experiment, NOW - HOUR, NOW, params={"instance_type": "box"}, tags=tags)
    name = mlflow_server.experiment_name(experiment)
    store = f", backend_store: '{mlflow_server.store}'" if way == "backend_store" else ""
    source = f"{{name: main, tracking_uri: '{mlflow_server.uri}', experiments: {{include: ['{name}']}}{store}}}"
    config = config_of(tmp_path / "config", BUDGETS, PRICES, f"sources: [{source}]\n")
    with closing(Store(f"sqlite:///{tmp_path / 'alerter.db'}")) as ledger:
        migrate(ledger)
        services = wire(config, ledger, now_ms=NOW + HOUR)
        run_cycle(services, NOW + HOUR)
        with services.windows.read() as view:
            spent = {row.title: plain(row.spent_nanos) for row in budget_status(view, NOW + HOUR)}
    assert spent == {"vision": "2.00"}
