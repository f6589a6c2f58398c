"""Artifacts and models logged by MLflow's own client to a real server, through the real cycle, into the ledger."""

from __future__ import annotations

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
from alerter.config import Config, SourceConfig
from alerter.core.money import div_half_even, plain
from alerter.core.storage import Artifacts, UnlistableError
from alerter.cycle import run_cycle
from alerter.services import Services
from alerter.sources.mlflow_rest import MlflowRestSource
from alerter.status import budget_status, top_runs
from alerter.store.bulk import query
from alerter.store.engine import Store
from alerter.store.migrate import migrate
from alerter.verify import verify_ledger
from tests.fixtures.mlflow_server import MlflowServer, plain_environment, serving
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

            class Tiny(pyfunc.PythonModel):  # type: ignore[name-defined, misc] # MLflow's is untyped
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


def test_a_model_counts_under_its_runs_tags_and_alone_under_its_own(stored: Stored) -> None:
    run = stored.log({"a.txt": 2**20}, model=True, team="vision")
    mlflow.set_experiment(experiment_id=stored.experiment)
    alone = stored.log_model(team="nlp")
    stored.cycle()
    sizes = dict(stored.rows("SELECT CASE WHEN run_uuid = '' THEN 'alone' ELSE model_id END, size FROM holding"))
    assert sizes.pop("") == 2**20
    assert all(size > 1000 for size in sizes.values())
    of_run = 2**20 + sum(size for key, size in sizes.items() if key != "alone")
    stored.cycle(HOUR)
    assert stored.spent()["vision"] == cost_of(of_run, HOUR)
    assert stored.spent()["nlp"] == cost_of(sizes["alone"], HOUR)

    # Another tag moves the run's bytes and its model's, from that poll on; a deleted model is gone for MLflow.
    stored.server.rest("runs/set-tag", {"run_id": run, "key": "team", "value": "speech"})
    mlflow.MlflowClient().delete_logged_model(alone)
    stored.cycle(8 * HOUR)
    assert stored.spent()["nlp"] == cost_of(sizes["alone"], 9 * HOUR)
    stored.cycle(HOUR)
    found = stored.spent()
    assert found["speech"] == cost_of(of_run, HOUR)
    assert found["vision"] == cost_of(of_run, 9 * HOUR)
    assert found["nlp"] == cost_of(sizes["alone"], 9 * HOUR)


def test_a_resumed_run_is_listed_again_when_it_has_ended_anew(stored: Stored) -> None:
    run = stored.log({"a.txt": 2**20}, team="vision")
    stored.cycle()
    with mlflow.start_run(run_id=run):
        mlflow.log_text("x" * 2**20, "b.txt")
        assert stored.cycle(HOUR).storage.walked == 0
    stored.server.set_run(run, "FINISHED", stored.now_ms + HOUR)
    assert stored.cycle(2 * HOUR).storage.walked == 1
    stored.cycle(HOUR)
    assert Decimal(stored.spent()["artifacts"]) == Decimal(cost_of(2**20, 3 * HOUR)) + Decimal(cost_of(2**21, HOUR))


def test_a_deleted_run_holds_its_bytes_until_mlflow_gc_erases_it(tmp_path: Path) -> None:
    (tmp_path / "mlflow").mkdir()
    with serving(tmp_path / "mlflow") as server, closing(Store(f"sqlite:///{tmp_path / 'alerter.db'}")) as store:
        migrate(store)
        experiment = server.experiment(team="platform")
        config = config_for(tmp_path / "config", server, experiment)
        stored = Stored(server, experiment, wire(config, store, now_ms=NOON))
        run = stored.log({"deep/a.txt": 2**20})
        stored.cycle()
        server.delete_run(run)
        stored.cycle(7 * HOUR)
        stored.cycle(HOUR)
        assert stored.spent()["artifacts"] == cost_of(2**20, 8 * HOUR)

        command = [sys.executable, "-m", "mlflow", "gc", "--backend-store-uri", f"sqlite:///{server.database}"]
        command += ["--tracking-uri", server.uri, "--run-ids", run]
        subprocess.run(command, check=True, capture_output=True, timeout=200, cwd=tmp_path, env=plain_environment())
        assert stored.cycle(7 * HOUR).storage.gone == 1
        spent = stored.spent()["artifacts"]
        assert Decimal(spent) == Decimal(cost_of(2**20, 12 * HOUR)) + Decimal(cost_of(2**20, 3 * HOUR))
        stored.cycle(DAY)
        assert stored.spent()["artifacts"] == spent


def test_a_store_that_the_server_cannot_list_is_a_gap_and_stops_nothing(stored: Stored) -> None:
    name = stored.server.experiment_name(stored.experiment)
    body = {"name": f"{name}-s3", "artifact_location": "s3://nowhere/x"}
    elsewhere = str(stored.server.rest("experiments/create", body)["experiment_id"])
    stored.server.ended_run(elsewhere, NOON - 2 * HOUR, NOON - HOUR)
    stored.log({"a.txt": 2**20})
    config = replace(stored.services.config, sources=(_both(stored.services.config.sources[0], name),))
    stored.services = wire(config, stored.services.store, now_ms=NOON)
    read = stored.cycle().storage
    assert (read.walked, read.unlistable, read.error) == (1, 1, "")
    assert stored.cycle(HOUR).storage.unlistable == 0
    assert stored.spent()["artifacts"] == cost_of(2**20, HOUR)


def _both(source: SourceConfig, name: str) -> SourceConfig:
    chosen = source.experiments.model_copy(update={"include": (f"{name}*",)})
    return source.model_copy(update={"experiments": chosen})


def test_the_file_behind_a_server_lists_what_lies_on_this_machine(tmp_path: Path, stored: Stored) -> None:
    body = {"name": f"local-{stored.experiment}", "artifact_location": str(tmp_path / "files")}
    experiment = str(stored.server.rest("experiments/create", body)["experiment_id"])
    run = stored.server.ended_run(experiment, NOON - 2 * HOUR, NOON - HOUR)
    artifacts = Path(stored.server.rest(f"runs/get?run_id={run}")["run"]["info"]["artifact_uri"])
    (artifacts / "deep" / "er").mkdir(parents=True)
    (artifacts / "a.bin").write_bytes(b"x" * 1000)
    (artifacts / "deep" / "er" / "b.bin").write_bytes(b"x" * 500)
    proxied = stored.log({"a.txt": 10}, model=True)
    uri = f"sqlite:///{stored.server.database}"
    source = MlflowRestSource(name="main", tracking_uri=uri)
    assert source.artifact_bytes(Artifacts(run)) == 1500
    assert source.artifact_bytes(Artifacts("0" * 32)) is None
    with pytest.raises(UnlistableError):  # only the server knows where its artifacts are
        source.artifact_bytes(Artifacts(proxied))
    over_http = MlflowRestSource(name="main", tracking_uri=stored.server.uri)
    both = [[list(each.models(0, 1000)) for each in (source, over_http)]]
    assert both[0][0] == both[0][1]
    model = next(each for batch in both[0][0] for each in batch.models if each.artifacts.run_uuid == proxied)
    asked = [model.artifacts, Artifacts(run), Artifacts("", "m-unknown")]
    assert source.still_there(asked) == over_http.still_there(asked) == {model.artifacts, Artifacts(run)}


def test_top_names_the_experiment_and_counts_no_run_more(stored: Stored) -> None:
    stored.log({"a.txt": 2**20}, team="vision")
    stored.cycle()
    stored.cycle(HOUR)
    name = stored.server.experiment_name(stored.experiment)
    with stored.services.windows.read() as view:
        (top,) = top_runs(view, stored.services.describer, stored.now_ms, limit=5, name="artifacts")
        (row, *_) = budget_status(view, stored.now_ms)
    assert (top.name, top.machine, top.running) == (f"Storage of {name} (team vision)", "storage", True)
    assert top.url == f"{stored.server.uri}/#/experiments/{stored.experiment}"
    assert (row.budget, row.runs) == ("artifacts", 0)
