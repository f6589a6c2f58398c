"""What MLflow 1.x and 2.x wrote is not read before it is upgraded, nothing in it changes, and people are told."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import MetaData, NullPool, column, create_engine, select, table
from sqlalchemy.engine import make_url

from alerter.core.ports import SourceError
from alerter.sources.mlflow_rest import MlflowRestSource
from tests.fixtures.mlflow_server import MlflowServer, plain_environment, serving, upgrade
from tests.sources.conftest import ServerOf, Way, database_of, each_of
from tests.sources.poller import HOUR, MINUTE, NOW, Poller

FILES = ("SQLite of 1.30", "SQLite of 2.22")
SCHEMAS = {"1.30": "97727af70f4d", "2.22": "0584bdc529eb"}
CONFIG = """\
sources: [{{name: main, tracking_uri: "{server.uri}", backend_store: "{server.store}"}}]
database: sqlite:///{folder}/alerter.db
receivers: [{{name: costs, console: {{}}}}]
"""
BUDGETS = "budgets: [{name: every-team, group_by: [team], amount: 100, period: monthly, receivers: [costs]}]\n"


@dataclass(frozen=True)
class Older:
    """A server of another time, its schema, and the runs that it was told of."""

    server: MlflowServer
    schema: str
    runs: frozenset[str]

    @property
    def is_sqlite(self) -> bool:
        return self.server.store.startswith("sqlite")

    def database(self) -> Way:
        return Way(self.server, database_of(self.server))

    def content(self) -> object:
        """Return everything that its database holds: a file's bytes, or every column and row."""
        if self.is_sqlite:
            return self.server.database.read_bytes()
        with create_engine(self.server.store, poolclass=NullPool).connect() as connection:
            (known := MetaData()).reflect(connection)
            columns = table(
                "columns", *map(column, ("table_name", "column_name", "data_type")), schema="information_schema"
            )
            asked = {"columns": select(columns)} | {name: select(each) for name, each in known.tables.items()}
            return {name: sorted(map(repr, connection.execute(each))) for name, each in asked.items()}

    def lock_it_whole(self) -> None:
        """Take at once, for a moment, what only one who is alone can have."""
        if self.is_sqlite:
            with closing(sqlite3.connect(self.server.database, timeout=0, isolation_level=None)) as connection:
                connection.execute("BEGIN EXCLUSIVE")
        else:
            with psycopg.connect(plain(self.server.store)) as connection:
                connection.execute("LOCK TABLE runs, experiments, alembic_version IN ACCESS EXCLUSIVE MODE NOWAIT")

    def copy(self, folder: Path) -> str:
        """Return the address of a copy of its database."""
        if self.is_sqlite:
            (folder / "copy.db").write_bytes(self.server.database.read_bytes())
            return f"sqlite:///{folder}/copy.db"
        url = make_url(self.server.store)
        with psycopg.connect(plain(self.server.store, "template1"), autocommit=True) as admin:
            # A template may have no session; those of the server end here, and it makes others.
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [url.database])
            admin.execute(f"CREATE DATABASE upgraded TEMPLATE {url.database}".encode())
        return url.set(database="upgraded").render_as_string(hide_password=False)


def plain(store: str, database: str | None = None) -> str:
    url = make_url(store)
    return url.set(drivername="postgresql", database=database or url.database).render_as_string(hide_password=False)


def alerter(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("alerter")), *words, "--config", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=plain_environment())


@pytest.fixture(scope="module", params=each_of(*FILES, "PostgreSQL of 2.22"))
def older(request: pytest.FixtureRequest, server_of: ServerOf) -> Older:
    server = server_of(request.param)
    return Older(server, SCHEMAS[request.param[-4:]], frozenset(written(server)))


def written(server: MlflowServer) -> Iterator[str]:
    """Write runs of every state; yield their ids."""
    experiment = server.experiment(team="vision")
    params = {"instance_type": "p4d.24xlarge", "num_nodes": "2"}
    yield server.ended_run(experiment, NOW - 5 * HOUR, NOW - HOUR, params=params, tags={"cost_center": "cc-1"})
    yield (parent := server.start_run(experiment, NOW - 3 * HOUR, params=params, metric_ms=NOW - MINUTE))
    yield server.start_run(experiment, NOW - 2 * HOUR, tags={"mlflow.parentRunId": parent, "größe": "ß 🙂"})
    yield (deleted := server.start_run(experiment, NOW - 2 * HOUR))
    server.delete_run(deleted)
    yield (resumed := server.ended_run(experiment, NOW - 9 * HOUR, NOW - 8 * HOUR))
    server.set_run(resumed, "RUNNING")


def test_it_is_read_over_rest_with_one_warning(older: Older, caplog: pytest.LogCaptureFixture) -> None:
    before, poller = older.content(), older.database().poller()
    with caplog.at_level(logging.WARNING, "alerter"):
        for minutes in range(3):
            poller.poll(NOW + minutes * MINUTE, after_batch=lambda _number: older.lock_it_whole())
            assert poller.batches
        assert not [model for batch in poller.source.models(0, 500) for model in batch.models]
    (told,) = [each.getMessage() for each in caplog.records]
    assert f"its schema {older.schema} is of an MLflow before 3.11" in told
    assert "mlflow db upgrade" in told
    assert poller.runs == Way(older.server, {"tracking_uri": older.server.uri}).poller().poll().runs
    assert poller.runs.keys() == older.runs
    assert older.content() == before


def test_what_a_person_sees(older: Older, tmp_path: Path) -> None:
    (tmp_path / "alerter.yaml").write_text(CONFIG.format(server=older.server, folder=tmp_path))
    (tmp_path / "budgets.yaml").write_text(BUDGETS)
    before = older.content()
    once = alerter("once", "--now", "2026-11-23T12:00Z", folder=tmp_path)
    assert once.returncode == 0, once.stdout + once.stderr
    assert "vision · November budget 307 % used" in once.stdout
    assert once.stderr.count("backend_store is not read, but REST") == 1
    assert "Traceback" not in once.stderr
    check = alerter("check", folder=tmp_path)
    assert check.returncode == 3
    found = [line for line in check.stdout.splitlines() if " source main " in line]
    assert [line.split()[0] for line in found] == ["WARNING", "ERROR"]
    assert f"its schema {older.schema} is of an MLflow before 3.11: REST is tried instead." in found[0]
    assert "-> Back it up, upgrade MLflow, then run: mlflow db upgrade" in check.stdout
    assert "only 3.x is supported" in found[1] or "is not an MLflow 3 server" in found[1]
    assert older.content() == before


@pytest.mark.needs_mlflow("1.30")
def test_a_server_that_cannot_answer_at_all_is_an_error_that_says_which_can(server_of: ServerOf) -> None:
    server = server_of(FILES[0])
    run = server.start_run(experiment := server.experiment(), NOW - HOUR)
    poller = Way(server, database_of(server)).poller(experiment).poll()
    server.set_run(run, "FINISHED", NOW)  # then it is asked for by its id, of which MLflow 1.x can't search for many
    with pytest.raises(SourceError, match=r"Check tracking_uri, and that MLflow 3 is running there\."):
        poller.poll(NOW + MINUTE)


@pytest.mark.parametrize("name", each_of(*FILES))
def test_a_file_is_not_opened_by_our_mlflow_which_would_upgrade_it(name: str, server_of: ServerOf) -> None:
    server = server_of(name)
    before, poller = server.database.read_bytes(), Poller(MlflowRestSource(name="main", tracking_uri=server.store))
    (finding,) = poller.source.check()
    assert finding.level == "error"
    assert f"was written by another MLflow: its schema is {SCHEMAS[name[-4:]]}" in finding.text
    assert finding.remedy.endswith(f"mlflow db upgrade {server.store}")
    with pytest.raises(SourceError, match="was written by another MLflow"):
        poller.poll()
    assert server.database.read_bytes() == before


@pytest.mark.timeout(240)
def test_after_an_upgrade_it_is_read_and_tells_the_same_as_its_server(older: Older, tmp_path: Path) -> None:
    store = older.copy(tmp_path)
    upgrade(store)
    with serving(tmp_path, store=store) as server:
        database = Way(server, database_of(server))
        assert [each.level for each in database.source().check()] == ["ok"]
        over_rest = Way(server, {"tracking_uri": server.uri}).poller().poll()
        assert over_rest.runs.keys() >= older.runs
        assert database.poller().poll().runs == over_rest.runs
