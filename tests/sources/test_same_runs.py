"""Every way to one MLflow tells the same of every run, to the letter."""

import pytest

from tests.fixtures.mlflow_server import MlflowServer
from tests.sources.conftest import Way, database_of
from tests.sources.odd_world import COSTS, USAGE, write_world
from tests.sources.poller import NOW, Poller


@pytest.fixture(scope="session")
def odd_world(mlflow_server: MlflowServer) -> str:
    return write_world(mlflow_server)


def told(server: MlflowServer, settings: dict[str, str], *include: str, **more: object) -> Poller:
    way = Way(server, settings)
    return Poller(way.source(include=include, usage_keys=USAGE, cost_keys=COSTS, **more)).poll()


@pytest.mark.parametrize(
    ("include", "exclude", "runs"), [("*", (), 25), ("*", ("*-vision",), 11), ("*-v*", ("*gone",), 14)]
)
def test_all_of_them(
    mlflow_server: MlflowServer, odd_world: str, include: str, exclude: tuple[str, ...], runs: int
) -> None:
    chosen = [f"{odd_world}{include}"]
    over_rest = told(mlflow_server, {"tracking_uri": mlflow_server.uri}, *chosen, exclude=exclude)
    assert len(over_rest.runs) == runs
    local = told(mlflow_server, {"tracking_uri": mlflow_server.store}, *chosen, exclude=exclude)
    assert over_rest.runs == local.runs
    database = told(mlflow_server, database_of(mlflow_server), *chosen, exclude=exclude, batch=4)
    assert over_rest.runs == database.runs
    assert database.swept
    assert set(database.times_seen.values()) == {1}
    assert database.poll(NOW).runs == over_rest.runs  # and a later poll tells nothing else


@pytest.mark.needs_postgres
def test_all_of_them_on_postgres(mlflow_on_postgres: MlflowServer) -> None:
    world = write_world(mlflow_on_postgres)
    over_rest = told(mlflow_on_postgres, {"tracking_uri": mlflow_on_postgres.uri}, f"{world}*")
    database = told(mlflow_on_postgres, database_of(mlflow_on_postgres), f"{world}*", batch=4)
    assert len(over_rest.runs) == 25
    assert over_rest.runs == database.runs
    assert database.poll(NOW).runs == over_rest.runs


def test_no_workspace_but_the_chosen_one(database: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = database.experiment()
    run = database.server.start_run(experiment, NOW)
    assert run in database.poller(experiment).poll().runs
    monkeypatch.setenv("MLFLOW_WORKSPACE", "research")
    assert not database.poller(experiment).poll().runs
