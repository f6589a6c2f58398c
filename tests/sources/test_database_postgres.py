"""News from PostgreSQL, which numbers no rows: what a transaction wrote since the last poll."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from alerter.core.ports import SourceError
from alerter.sources.mlflow_database import MlflowDatabaseSource
from alerter.sources.mlflow_database.postgres import Postgres
from alerter.sources.mlflow_database.tables import MovedError
from tests.bench.mlflow_database import plain
from tests.fixtures.mlflow_server import MlflowServer, serving
from tests.fixtures.store import PostgresServer, create
from tests.sources.conftest import Way, database_of
from tests.sources.poller import DAY, MINUTE, NOW, Poller

pytestmark = pytest.mark.needs_postgres

LONG_AGO = NOW - 60 * DAY
STATISTICS_S = 20
"""PostgreSQL's statistics are up to ten seconds late."""


@pytest.fixture
def way(mlflow_on_postgres: MlflowServer) -> Way:
    return Way(mlflow_on_postgres, database_of(mlflow_on_postgres))


def poll_until_told(poller: Poller, run: str) -> None:
    deadline = time.monotonic() + STATISTICS_S
    while run not in poller.poll(NOW + MINUTE).times_seen and time.monotonic() < deadline:
        time.sleep(0.2)
    assert run in poller.times_seen


def test_a_row_of_a_closed_period_that_is_written_is_news_and_once(way: Way) -> None:
    experiment = way.experiment()
    runs = [way.server.ended_run(experiment, LONG_AGO, LONG_AGO + DAY) for _ in range(3)]
    poller = way.poller(experiment).poll()
    way.server.delete_run(runs[1])  # no slice reads it: it touches no open period
    poll_until_told(poller, runs[1])
    assert poller.runs[runs[1]].deleted
    assert set(poller.times_seen) == {runs[1]}
    assert not poller.poll(NOW + 2 * MINUTE).times_seen
    new = way.server.ended_run(experiment, LONG_AGO, LONG_AGO + DAY)
    poll_until_told(poller, new)
    assert set(poller.times_seen) == {new}


def test_what_is_written_while_the_sweep_goes_on_is_told(way: Way) -> None:
    experiment = way.experiment()
    runs = [way.server.ended_run(experiment, LONG_AGO, LONG_AGO + DAY) for _ in range(6)]
    poller = way.poller(experiment, batch=2)
    new: list[str] = []

    def write(number: int) -> None:
        if number == 2:
            new.append(way.server.ended_run(experiment, LONG_AGO, LONG_AGO + DAY))
            way.server.delete_run(runs[0])

    poller.poll(after_batch=write)
    poll_until_told(poller, new[0])
    assert poller.runs[runs[0]].deleted


def blocks_of(way: Way, runs: list[str]) -> dict[str, int]:
    with psycopg.connect(plain(way.server.store), autocommit=True) as connection:
        rows = connection.execute("SELECT run_uuid, (ctid::text::point)[0] FROM runs WHERE run_uuid = ANY(%s)", [runs])
        return {uuid: int(block) for uuid, block in rows}


def test_a_row_that_moves_to_a_block_that_was_read_is_told(way: Way) -> None:
    experiment, long = way.experiment(), "x" * 240  # so that a block holds some dozens of them
    runs = [way.server.ended_run(experiment, LONG_AGO, LONG_AGO + DAY, name=long) for _ in range(60)]
    before = blocks_of(way, runs)
    assert len(set(before.values())) > 1
    poller = way.poller(experiment, batch=1)
    first = min(before.values())

    moved: list[str] = []

    def move(_number: int) -> None:
        if runs[0] in poller.runs and not moved:  # others' runs may lie before them
            moved.append(runs[-1])
            way.server.erase_run(runs[0])
            with psycopg.connect(plain(way.server.store), autocommit=True) as connection:
                connection.execute("VACUUM runs")
                connection.execute(
                    "WITH old AS (DELETE FROM runs WHERE run_uuid = %s RETURNING *) INSERT INTO runs SELECT * FROM old",
                    [runs[-1]],
                )

    poller.poll(after_batch=move)
    assert blocks_of(way, runs)[runs[-1]] <= first < before[runs[-1]]
    assert runs[-1] not in poller.times_seen
    poll_until_told(poller, runs[-1])
    assert set(poller.runs) == set(runs)


def test_a_table_that_is_written_anew_means_a_sweep(way: Way) -> None:
    experiment = way.experiment()
    run = way.server.ended_run(experiment, LONG_AGO, LONG_AGO + DAY)
    poller = way.poller(experiment).poll()
    assert not poller.poll(NOW + MINUTE).times_seen
    with psycopg.connect(plain(way.server.store), autocommit=True) as connection:
        connection.execute("VACUUM FULL runs")
    assert set(poller.poll(NOW + 2 * MINUTE).times_seen) == {run}


def test_another_table_or_an_earlier_state_of_it_means_a_sweep(way: Way) -> None:
    source = way.source()
    assert isinstance(source, MlflowDatabaseSource)
    with source._database.reading() as reading:
        tables = Postgres(reading)
        now = tables.now()
        assert tables.news(now) == ([], now)
        for other in (
            replace(now, mark="mlflow:1"),  # restored from a dump
            replace(now, key=now.key + 1_000_000),  # restored from a back-up
            replace(now, key=now.key - 2**31),  # numbers of transactions went round
        ):
            with pytest.raises(MovedError):
                tables.news(other)


def test_a_database_that_is_stopped_and_started_again(tmp_path: Path) -> None:
    with closing(PostgresServer(tmp_path)) as postgres, serving(tmp_path, store=create(postgres.url)) as server:
        way = Way(server, database_of(server))
        experiment = way.experiment()
        running = server.start_run(experiment, NOW)
        poller = way.poller(experiment).poll()
        postgres.stop()
        with pytest.raises(
            SourceError, match=r"could not be read: .+ Check backend_store, and that the database is up"
        ):
            poller.poll(NOW + MINUTE)
        postgres.start()
        new = server.ended_run(experiment, NOW, NOW + MINUTE)
        server.set_run(running, "FINISHED", NOW + MINUTE)
        poller.poll(NOW + 2 * MINUTE)
        poll_until_told(poller, new)
        assert set(poller.runs) == {running, new}
        assert not poller.runs[running].is_live
