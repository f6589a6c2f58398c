from collections.abc import Callable, Iterator
from typing import Any

import pytest

from alerter.sources.mlflow_rest import MlflowRestSource
from tests.fixtures.mlflow_server import MlflowServer
from tests.sources.poller import Poller
from tests.sources.scripted import ScriptedServer

MakePoller = Callable[..., Poller]


@pytest.fixture(params=["http", "sqlite"])
def tracking_uri(request: pytest.FixtureRequest, mlflow_server: MlflowServer) -> str:
    """The two ways to one MLflow: its server, and the file behind it."""
    return mlflow_server.uri if request.param == "http" else f"sqlite:///{mlflow_server.database}"


@pytest.fixture
def experiment(mlflow_server: MlflowServer) -> str:
    """An empty experiment of the test's own."""
    return mlflow_server.experiment(team="vision", cost_center="cc-1")


@pytest.fixture
def poller_of(mlflow_server: MlflowServer) -> MakePoller:
    """Return a function that makes a poller of some experiments over HTTP, or by another ``tracking_uri``."""

    def make(*experiments: str, tracking_uri: str = "", **settings: Any) -> Poller:  # noqa: ANN401
        names = [mlflow_server.experiment_name(each) for each in experiments]
        uri = tracking_uri or mlflow_server.uri
        return Poller(MlflowRestSource(name="main", tracking_uri=uri, include=names, **settings))

    return make


@pytest.fixture
def scripted() -> Iterator[ScriptedServer]:
    """A server on loopback that answers as a test tells it."""
    with ScriptedServer() as server:
        yield server
