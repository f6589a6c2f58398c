from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from alerter.registry import SOURCES, load
from alerter.sources.mlflow_rest import MlflowRestSource
from tests.fixtures.mlflow_server import MlflowServer
from tests.fixtures.store import create
from tests.plugins.parts import MLFLOW_3_11
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


OLDEST = "3.11"
"""The oldest MLflow whose database is read; the newest is the one that is installed."""

SERVERS = {
    "SQLite": "mlflow_server",
    "PostgreSQL": "mlflow_on_postgres",
    f"SQLite of {OLDEST}": "oldest_mlflow",
    f"PostgreSQL of {OLDEST}": "oldest_mlflow_on_postgres",
}
"""The fixtures of servers, by where they keep their runs, and the MLflow that writes them."""


def each_of(*names: str) -> list[Any]:
    """Return parameters, each marked with the parts that it needs."""
    parts = {"PostgreSQL": pytest.mark.needs_postgres, OLDEST: pytest.mark.needs_mlflow_3_11}
    return [pytest.param(name, marks=[mark for part, mark in parts.items() if part in name]) for name in names]


@pytest.fixture(params=each_of("HTTP", "a local file", f"HTTP of {OLDEST}", *SERVERS))
def way(request: pytest.FixtureRequest) -> Way:
    """The ways to a real MLflow: its server, the file behind it by MLflow's client, and its database by ours."""
    if request.param in SERVERS:
        return Way(server := request.getfixturevalue(SERVERS[request.param]), database_of(server))
    server = request.getfixturevalue("oldest_mlflow" if OLDEST in request.param else "mlflow_server")
    return Way(server, {"tracking_uri": server.store if "local" in request.param else server.uri})


@pytest.fixture(params=each_of(*SERVERS))
def database(request: pytest.FixtureRequest) -> Way:
    """The databases that are read."""
    return Way(server := request.getfixturevalue(SERVERS[request.param]), database_of(server))


def database_of(server: MlflowServer) -> dict[str, str]:
    """Return the settings by which a server's own database is read."""
    return {"tracking_uri": server.uri, "backend_store": server.store}


@pytest.fixture(scope="session")
def mlflow_on_postgres(mlflow_servers: Callable[..., MlflowServer], postgres_url: str) -> MlflowServer:
    """A server whose runs are in PostgreSQL."""
    return mlflow_servers("postgres", store=create(postgres_url))


@pytest.fixture(scope="session")
def oldest_mlflow(mlflow_servers: Callable[..., MlflowServer]) -> MlflowServer:
    """A server of the oldest MLflow whose database is read."""
    return mlflow_servers("oldest", python=str(MLFLOW_3_11))


@pytest.fixture(scope="session")
def oldest_mlflow_on_postgres(mlflow_servers: Callable[..., MlflowServer], postgres_url: str) -> MlflowServer:
    """... whose runs are in PostgreSQL."""
    return mlflow_servers("oldest-postgres", python=str(MLFLOW_3_11), store=create(postgres_url))


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
