from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from alerter.registry import SOURCES, load
from alerter.sources.mlflow_rest import MlflowRestSource
from tests.fixtures.mlflow_server import MlflowServer
from tests.fixtures.store import create
from tests.sources.poller import Poller
from tests.sources.scripted import ScriptedServer

MakePoller = Callable[..., Poller]


@dataclass(frozen=True)
class Way:
    """A way to read an MLflow: a real server, and what a source of it is made with."""

    server: MlflowServer
    settings: dict[str, str]

    def experiment(self) -> str:
        """Create an empty experiment of the test's own."""
        return self.server.experiment(team="vision", cost_center="cc-1")

    def source(self, *experiments: str, **settings: Any) -> MlflowRestSource:  # noqa: ANN401
        """Return a source that reads some experiments, all if none is named."""
        names = [self.server.experiment_name(each) for each in experiments]
        made: MlflowRestSource = load(SOURCES, "backend_store" if "backend_store" in self.settings else "mlflow")(
            name="main", **{"include": names, **self.settings, **settings}
        )
        return made

    def poller(self, *experiments: str, **settings: Any) -> Poller:  # noqa: ANN401
        """Return what polls such a source."""
        return Poller(self.source(*experiments, **settings))


WAYS = [
    "http",
    "local",
    "database",
    pytest.param("postgresql", marks=pytest.mark.needs_postgres),
]


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, mlflow_server: MlflowServer) -> Way:
    """The ways to a real MLflow: its server, the file behind it by MLflow's client, and its database by ours."""
    if request.param == "postgresql":
        return Way(server := request.getfixturevalue("mlflow_on_postgres"), database_of(server))
    settings = {
        "http": {"tracking_uri": mlflow_server.uri},
        "local": {"tracking_uri": mlflow_server.store},
        "database": database_of(mlflow_server),
    }
    return Way(mlflow_server, settings[request.param])


DATABASES = WAYS[2:]


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, mlflow_server: MlflowServer) -> Way:
    """The two databases that are read."""
    is_postgres = request.param == "postgresql"
    server = request.getfixturevalue("mlflow_on_postgres") if is_postgres else mlflow_server
    return Way(server, database_of(server))


def database_of(server: MlflowServer) -> dict[str, str]:
    """Return the settings by which a server's own database is read."""
    return {"tracking_uri": server.uri, "backend_store": server.store}


@pytest.fixture(scope="session")
def mlflow_on_postgres(mlflow_servers: Callable[..., MlflowServer], postgres_url: str) -> MlflowServer:
    """A server whose runs are in PostgreSQL."""
    return mlflow_servers("postgres", store=create(postgres_url))


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
