"""Artifacts and models logged by MLflow's own client to a real server, through the real cycle, into the ledger."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import mlflow
import pytest

from alerter.bootstrap import wire
from alerter.config import Config
from alerter.core.money import div_half_even, plain
from alerter.cycle import run_cycle
from alerter.explain import explain
from alerter.services import Services
from alerter.status import budget_status, top_runs
from alerter.store.bulk import query
from alerter.store.engine import Store
from alerter.store.migrate import migrate
from alerter.verify import verify_ledger
from tests.fixtures.mlflow_server import MlflowServer, serving
from tests.truth.ledgers import DAY, HOUR, config_of

NOON = 1_795_435_200_000
GIB = 2**30
BUDGETS = """
defaults: {timezone: Asia/Kathmandu, receivers: [console], period: {from: 2001-01-01, to: 2099-01-01}}
budgets:
  - {name: artifacts, amount: "100", components: [storage]}
  - {name: machines, amount: "100", components: [machines]}
  - {name: all, amount: "100", group_by: [team]}
"""
PRICES = 'catalogs: []\nstorage: {per_gib_month: "730000"}\n'  # $1,000 for a GiB and hour: small files cost something


def cost_of(size: int, span_ms: int) -> str:
    """What bytes cost by hand, at the price above."""
    quantity = max(div_half_even(size * 10**6, GIB), 1)
    return plain(div_half_even(quantity * 1000 * 10**9 * span_ms, 10**6 * HOUR))


@dataclass
class Stored:
    """A daemon's services on one experiment of a real server."""

    server: MlflowServer
    experiment: str
    services: Services
    now_ms: int = NOON

    def log(self, files: dict[str, int], *, model: bool = False, **tags: str) -> str:
        """Log a run with files of so many bytes, and a small model; return its id."""
        mlflow.set_tracking_uri(self.server.uri)
        mlflow.set_experiment(experiment_id=self.experiment)
        with mlflow.start_run(tags=tags) as run:
            for path, size in files.items():
                mlflow.log_text("x" * size, path)
            if model:
                self.log_model()
        self.server.set_run(run.info.run_id, "FINISHED", self.now_ms - HOUR)
        return str(run.info.run_id)

    def log_model(self, **tags: str) -> str:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow's own, about what a model should have
            from mlflow import pyfunc  # noqa: PLC0415

            class Tiny(pyfunc.PythonModel):  # type: ignore[misc] # MLflow's is untyped
                def predict(self, model_input: list[str]) -> list[str]:
                    return model_input

            made = pyfunc.log_model(name="tiny", python_model=Tiny(), pip_requirements=[], tags=tags or None)
        return str(made.model_id)

    def cycle(self, after_ms: int = 0) -> Any:  # noqa: ANN401
        self.now_ms += after_ms
        (polled,) = run_cycle(self.services, self.now_ms).polls
        assert not polled.error
        return polled

    def spent(self) -> dict[str, str]:
        with self.services.windows.read() as view:
            assert verify_ledger(view).ok
            return {row.title: plain(row.spent_nanos) for row in budget_status(view, self.now_ms) if row.spent_nanos}

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.services.store.read() as connection:
            return [tuple(row) for row in query(connection, sql)]


def config_for(folder: Path, server: MlflowServer, experiment: str, extra: str = "", prices: str = PRICES) -> Config:
    name = server.experiment_name(experiment)
    source = f"sources: [{{name: main, tracking_uri: '{server.uri}', experiments: {{include: ['{name}']}}}}]\n"
    return config_of(folder, BUDGETS, prices, source + extra)


@pytest.fixture
def stored(tmp_path: Path, mlflow_server: MlflowServer) -> Iterator[Stored]:
    experiment = mlflow_server.experiment(team="platform")
    config = config_for(tmp_path / "config", mlflow_server, experiment)
    with closing(Store(f"sqlite:///{tmp_path / 'alerter.db'}")) as store:
        migrate(store)
        yield Stored(mlflow_server, experiment, wire(config, store, now_ms=NOON))


def test_files_in_folders_are_charged_from_the_walk_on_once(stored: Stored) -> None:
    stored.log({"a.txt": 3 * 2**20, "deep/er/b.txt": 2**20, "deep/c.txt": 2**20, "empty.txt": 0}, team="vision")
    assert stored.cycle().storage.walked == 1
    assert stored.spent() == {}
    assert stored.cycle(HOUR).storage.walked == 0
    assert stored.spent() == {"artifacts": cost_of(5 * 2**20, HOUR), "vision": cost_of(5 * 2**20, HOUR)}
