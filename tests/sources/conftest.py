from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest

from alerter.registry import SOURCES, load
from alerter.sources.mlflow_rest import MlflowRestSource
from tests.fixtures.mlflow_server import MlflowServer
from tests.fixtures.store import create
from tests.plugins.parts import mlflow_python
from tests.sources.poller import Poller
from tests.sources.scripted import ScriptedServer

MakePoller = Callable[..., Poller]
ServerOf = Callable[[str], MlflowServer]


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

SERVERS = ("SQLite", "PostgreSQL", f"SQLite of {OLDEST}", f"PostgreSQL of {OLDEST}")
"""Servers whose database is read: where their runs are and, unless it is the newest, which MLflow writes them."""


def each_of(*names: str) -> list[Any]:
    """Return parameters, each marked with the parts that it needs."""
    return [pytest.param(name, marks=list(_parts(name))) for name in names]


def _parts(name: str) -> Iterator[pytest.MarkDecorator]:
    place, _, version = name.partition(" of ")
    if place == "PostgreSQL":
        yield pytest.mark.needs_postgres
    if version:
        yield pytest.mark.needs_mlflow(version)


@pytest.fixture(params=each_of("HTTP", "a local file", f"HTTP of {OLDEST}", *SERVERS))
def way(request: pytest.FixtureRequest, server_of: ServerOf) -> Way:
    """The ways to a real MLflow: its server, the file behind it by MLflow's client, and its database by ours."""
    if request.param in SERVERS:
        return Way(server := server_of(request.param), database_of(server))
    server = server_of(request.param.replace("HTTP", "SQLite").replace("a local file", "SQLite"))
    return Way(server, {"tracking_uri": server.store if "local" in request.param else server.uri})


@pytest.fixture(params=each_of(*SERVERS))
def database(request: pytest.FixtureRequest, server_of: ServerOf) -> Way:
    """The databases that are read."""
    return Way(server := server_of(request.param), database_of(server))


def database_of(server: MlflowServer) -> dict[str, str]:
    """Return the settings by which a server's own database is read."""
    return {"tracking_uri": server.uri, "backend_store": server.store}


@pytest.fixture(scope="session")
def mlflow_on_postgres(mlflow_servers: Callable[..., MlflowServer], postgres_url: str) -> MlflowServer:
    """A server whose runs are in PostgreSQL."""
    return mlflow_servers("postgres", store=create(postgres_url))


@pytest.fixture(scope="session")
def server_of(request: pytest.FixtureRequest, mlflow_servers: Callable[..., MlflowServer]) -> ServerOf:
    """Return a function that gives one of the session's servers, such as ``server_of("PostgreSQL of 3.11")``."""

    @cache
    def named(name: str) -> MlflowServer:
        place, _, version = name.partition(" of ")
        in_postgres = place == "PostgreSQL"
        if not version:
            installed: MlflowServer = request.getfixturevalue("mlflow_on_postgres" if in_postgres else "mlflow_server")
            return installed
        python, store = str(mlflow_python(version)), ""
        if in_postgres:
            store = create(request.getfixturevalue("postgres_url"))
        its_own = store if version == OLDEST else store.replace("psycopg", "psycopg2")  # MLflow 2.x knows no other
        started = mlflow_servers(name.replace(" ", "-"), python=python, store=its_own)
        return replace(started, store=store or started.store)

    return named


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
