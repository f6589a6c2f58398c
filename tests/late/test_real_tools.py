"""What people use beside MLflow's client: Optuna's callback, logged models, `mlflow gc`; a second costs a unit."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from alerter.explain import explain
from tests.fixtures.mlflow_server import MlflowServer
from tests.late.tracked import Tracked, tracked

BUDGETS = """
defaults: {receivers: [console], timezone: UTC}
budgets: [{name: all, amount: "100000", period: yearly}]
"""
PRICES = """
catalogs: []
prices: [{match: {instance_type: m5.xlarge}, per_instance_hour: "3600"}]
"""
GC_S = 100


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def made(mlflow_server: MlflowServer, tmp_path: Path) -> Iterator[Tracked]:
    with tracked(mlflow_server, tmp_path, now_ms(), BUDGETS, PRICES) as one, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.set_tracking_uri(mlflow_server.uri)
        mlflow.set_experiment(experiment_id=one.experiment)
        yield one
        while mlflow.active_run():
            mlflow.end_run()


def lengths(client: MlflowClient, run_ids: list[str]) -> Decimal:
    infos = [client.get_run(each).info for each in run_ids]
    return sum((Decimal(each.end_time - each.start_time) / 1000 for each in infos), Decimal(0))


def cost_of(made: Tracked, run_id: str, at_ms: int) -> tuple[Decimal, str]:
    """What a run cost, and its state, from the ledger."""
    with made.services.ledger.read() as view:
        run = explain(view, run_id, at_ms)["run"]
    return Decimal(run["cost"]), str(run["status"])


def tune(server: MlflowServer, *, nested: bool) -> None:
    import optuna  # noqa: PLC0415 - heavy
    from optuna_integration import MLflowCallback  # noqa: PLC0415

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    callback = MLflowCallback(
        tracking_uri=server.uri, metric_name="loss", create_experiment=False, mlflow_kwargs={"nested": nested}
    )

    @callback.track_in_mlflow()  # type: ignore[untyped-decorator]
    def objective(trial: optuna.Trial) -> float:
        mlflow.log_param("instance_type", "m5.xlarge")
        time.sleep(0.05)
        return float(trial.suggest_float("x", -1, 1)) ** 2

    optuna.create_study(study_name="hpo").optimize(objective, n_trials=3, callbacks=[callback])


def runs_of(made: Tracked) -> dict[str, str | None]:
    """Every run of the experiment with the run that it is nested in."""
    found = made.client.search_runs([made.experiment])
    return {each.info.run_id: each.data.tags.get("mlflow.parentRunId") for each in found}


def test_optunas_trials_in_one_run_cost_what_that_run_costs(made: Tracked, mlflow_server: MlflowServer) -> None:
    with mlflow.start_run() as parent:
        mlflow.log_param("instance_type", "m5.xlarge")
        tune(mlflow_server, nested=True)
        made.cycle(now_ms())
    made.cycle(at_ms := now_ms())
    runs = runs_of(made)
    assert list(runs.values()).count(parent.info.run_id) == 3
    assert made.spent(at_ms) == {"all": lengths(made.client, [parent.info.run_id])}


def test_optunas_trials_of_their_own_cost_each_its_time(made: Tracked, mlflow_server: MlflowServer) -> None:
    tune(mlflow_server, nested=False)
    made.cycle(at_ms := now_ms())
    runs = runs_of(made)
    assert list(runs.values()) == [None] * 3
    assert made.spent(at_ms) == {"all": lengths(made.client, list(runs))}


def test_a_run_that_logs_a_model_is_a_run_like_any_other(made: Tracked) -> None:
    class Echo(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined]
        def predict(self, _context: object, model_input: list[str]) -> list[str]:
            return model_input

    with mlflow.start_run() as run:
        mlflow.log_param("instance_type", "m5.xlarge")
        mlflow.pyfunc.log_model(name="echo", python_model=Echo(), pip_requirements=[])
    made.cycle(at_ms := now_ms())
    assert len(made.client.search_logged_models([made.experiment])) == 1
    assert made.spent(at_ms) == {"all": lengths(made.client, [run.info.run_id])}


def collect_garbage(server: MlflowServer, run_ids: list[str]) -> None:
    command = [sys.executable, "-m", "mlflow", "gc", "--backend-store-uri", f"sqlite:///{server.database}"]
    environment = os.environ | {"MLFLOW_TRACKING_URI": server.uri}
    done = subprocess.run(
        [*command, "--run-ids", ",".join(run_ids)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=GC_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_runs_that_mlflow_gc_erased_stay_in_the_ledger(made: Tracked, mlflow_server: MlflowServer) -> None:
    start = now_ms() - 7_200_000
    ended, running = made.run(start, start + 60_000), made.run(start, None)
    made.client.log_metric(running, "loss", 1, timestamp=now_ms())
    made.cycle(last := now_ms())
    for run_id in (ended, running):
        made.client.delete_run(run_id)
    collect_garbage(mlflow_server, [ended, running])
    with pytest.raises(mlflow.MlflowException):
        made.client.get_run(ended)
    made.cycle(at_ms := last + 600_000)
    assert cost_of(made, ended, at_ms) == (Decimal(60), "FINISHED")
    assert cost_of(made, running, at_ms) == (Decimal(last - start) / 1000, "GONE")
    made.cycle(at_ms + 60_000)
    assert made.spent(at_ms + 60_000) == {"all": 60 + Decimal(last - start) / 1000}
