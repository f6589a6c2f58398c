"""Reading MLflow's own SQLite: news by key, everything else in turn, whatever happens to the file."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from alerter.core.ports import SourceError
from alerter.core.usage import RunStatus
from alerter.sources.mlflow_database import MlflowDatabaseSource
from alerter.sources.mlflow_database.poll import SLICE, SLICE_MAX, Turn
from alerter.sources.mlflow_database.tables import AWAKE
from alerter.sources.mlflow_rest import MlflowRestSource
from tests.fixtures.mlflow_data import end_runs, erase_runs, seed_runs
from tests.fixtures.mlflow_server import MlflowServer
from tests.sources.poller import DAY, HOUR, MINUTE, NOW, Poller

LONG_AGO = NOW - 60 * DAY
MakePoller = Callable[..., Poller]


@pytest.fixture
def database(tmp_path: Path, mlflow_server: MlflowServer) -> Path:
    """A file of MLflow's own schema, with whatever other tests left in it cleared away."""
    path = tmp_path / "mlflow.db"
    shutil.copyfile(mlflow_server.database, path)
    with closing(sqlite3.connect(path)) as connection, connection:
        for table in ("params", "tags", "latest_metrics", "metrics", "runs"):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names from above
    return path


@pytest.fixture
def poller_on(database: Path) -> MakePoller:
    """Return a function that makes a poller of the file."""

    def make(**settings: Any) -> Poller:  # noqa: ANN401
        made = MlflowDatabaseSource(
            **{
                "name": "main",
                "tracking_uri": "http://127.0.0.1:9",
                "backend_store": f"sqlite:///{database}",
                **settings,
            }
        )
        return Poller(made)

    return make


def execute(database: Path, sql: str, *values: object) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute(sql, values)


def test_a_kill_after_any_batch_loses_nothing(database: Path, poller_on: MakePoller) -> None:
    runs = seed_runs(database, 23, first_start_ms=NOW - DAY)
    poller, reads = poller_on(batch=4), 0
    while not poller.swept:
        for batch in islice(poller.polling(NOW), 2):  # then the process dies
            poller.record(batch)
            reads += len(batch.runs)
    assert set(poller.runs) == set(runs)
    assert reads == len(runs)


def test_what_is_written_while_the_sweep_goes_on_is_told(database: Path, poller_on: MakePoller) -> None:
    runs = seed_runs(database, 9, first_start_ms=LONG_AGO, running=9)
    poller, late = poller_on(batch=3), []

    def write(number: int) -> None:
        if number == 2:
            late.extend(seed_runs(database, 2, first_start_ms=LONG_AGO))
            end_runs(database, runs[:1], NOW)

    poller.poll(after_batch=write)
    poller.poll(NOW + MINUTE)
    assert set(poller.runs) == {*runs, *late}
    assert poller.runs[runs[0]].status is RunStatus.FINISHED


def test_news_is_told_whatever_clocks_say_and_open_runs_by_their_id(database: Path, poller_on: MakePoller) -> None:
    running = seed_runs(database, 3, first_start_ms=LONG_AGO, running=3)
    poller = poller_on().poll()
    new = seed_runs(database, 3, first_start_ms=LONG_AGO)
    end_runs(database, running[:1], LONG_AGO + HOUR)
    erase_runs(f"sqlite:///{database}", running[1:2])
    poller.poll(NOW + MINUTE)
    assert set(new) <= set(poller.times_seen)
    assert poller.runs[running[0]].status is RunStatus.FINISHED
    assert poller.gone == {running[1]}
    assert not poller.poll(NOW + 2 * MINUTE).batches[-1].gone


def test_a_quiet_poll_reads_no_more_than_its_bounds(database: Path, poller_on: MakePoller) -> None:
    runs = seed_runs(database, 2 * SLICE + 100, first_start_ms=NOW - 2 * DAY)
    poller = poller_on().poll()
    turns = [set(poller.poll(NOW + number * MINUTE).times_seen) for number in range(1, 4)]
    assert [len(each) for each in turns] == [SLICE, SLICE, 100]
    assert set().union(*turns) == set(runs)


def test_runs_of_closed_periods_are_walked_over_and_not_read(database: Path, poller_on: MakePoller) -> None:
    seed_runs(database, 50, first_start_ms=LONG_AGO)
    (touching,) = seed_runs(database, 1, first_start_ms=LONG_AGO, lasting_ms=59 * DAY)
    poller = poller_on().poll()
    assert set(poller.poll(NOW + MINUTE).times_seen) == {touching}


def test_a_late_tag_is_seen_in_turn(database: Path, poller_on: MakePoller) -> None:
    run = seed_runs(database, 40, first_start_ms=NOW - DAY)[20]
    poller = poller_on().poll()
    execute(database, "UPDATE tags SET value = 'nlp' WHERE run_uuid = ? AND key = 'team'", run)
    assert dict(poller.poll(NOW + MINUTE).runs[run].tags)["team"] == "nlp"


def test_a_run_that_runs_again_is_seen_by_its_status_long_before_its_turn(
    database: Path, poller_on: MakePoller
) -> None:
    runs = seed_runs(database, SLICE + 200, first_start_ms=LONG_AGO)
    poller = poller_on().poll()
    execute(database, "UPDATE runs SET status = 'RUNNING' WHERE run_uuid = ?", runs[-1])
    assert poller.poll(NOW + MINUTE).runs[runs[-1]].is_live
    execute(database, "UPDATE runs SET rowid = rowid + ?", 2 * AWAKE)  # so many others before them
    fresh = poller_on().poll()
    execute(database, "UPDATE runs SET status = 'RUNNING' WHERE run_uuid = ?", runs[-2])
    for number in range(1, 4):
        fresh.poll(NOW + number * MINUTE)
    assert fresh.runs[runs[-2]].is_live


def test_rows_that_are_numbered_anew_are_swept_anew(database: Path, poller_on: MakePoller) -> None:
    old = seed_runs(database, 10, first_start_ms=LONG_AGO)
    poller = poller_on().poll()
    erase_runs(f"sqlite:///{database}", old[:5])
    new = seed_runs(database, 3, first_start_ms=LONG_AGO)
    rebuild_runs(database)  # what were 6 to 13 are 1 to 8 now: below the last one known
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT MAX(rowid) FROM runs").fetchone() == (8,)
    poller.poll(NOW + MINUTE)
    assert set(new) <= set(poller.runs)
    assert all(batch.swept for batch in poller.batches)


def rebuild_runs(database: Path) -> None:
    """Make the table anew as Alembic does for MLflow's migrations; VACUUM may number rows anew likewise."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        ((made,),) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'runs'")
        columns = ", ".join(row[1] for row in connection.execute("PRAGMA table_info(runs)"))
        connection.execute(made.replace('"runs"', "_alembic_tmp_runs", 1))
        connection.execute(f"INSERT INTO _alembic_tmp_runs ({columns}) SELECT {columns} FROM runs ORDER BY rowid")  # noqa: S608
        connection.execute("DROP TABLE runs")
        connection.execute("ALTER TABLE _alembic_tmp_runs RENAME TO runs")


def test_a_number_that_is_given_again_is_noticed(database: Path, poller_on: MakePoller) -> None:
    runs = seed_runs(database, 3, first_start_ms=LONG_AGO)
    poller = poller_on().poll()
    erase_runs(f"sqlite:///{database}", runs[2:])
    (new,) = seed_runs(database, 1, first_start_ms=LONG_AGO)  # SQLite gives it the number of the erased one
    assert new in poller.poll(NOW + MINUTE).runs


def test_another_file_in_its_place_is_swept_anew(database: Path, poller_on: MakePoller, tmp_path: Path) -> None:
    empty = shutil.copyfile(database, tmp_path / "other.db")
    seed_runs(database, 5, first_start_ms=LONG_AGO)
    poller = poller_on().poll()
    other = seed_runs(empty, 5, first_start_ms=LONG_AGO)
    empty.replace(database)
    assert set(other) <= set(poller.poll(NOW + MINUTE).runs)


def test_settings_that_change_what_is_kept_sweep_anew(database: Path, poller_on: MakePoller) -> None:
    (run,) = seed_runs(database, 1, first_start_ms=LONG_AGO, params={"gpus": "4"})
    before = poller_on().poll()
    after = poller_on(usage_keys=frozenset({"gpus"}))
    after.cursor = before.cursor
    assert after.poll().runs[run].usage == (("gpus", "4"),)
    assert all(batch.swept for batch in after.batches)


@pytest.mark.parametrize("cursor", ["{", '{"kind":"database","v":99}', '{"kind":"database"}', "[]", "1"])
def test_a_cursor_that_cannot_be_read_sweeps_anew(database: Path, poller_on: MakePoller, cursor: str) -> None:
    runs = seed_runs(database, 2, first_start_ms=LONG_AGO)
    poller = poller_on()
    poller.cursor = cursor
    assert set(poller.poll().runs) == set(runs)


@pytest.mark.parametrize(
    ("runs", "size", "enough"),
    [(0, SLICE, True), (300_000, SLICE, True), (1_000_000, 3056, True), (9_000_000, SLICE_MAX, False)],
)
def test_a_slice_is_sized_to_come_round_in_time(runs: int, size: int, enough: bool) -> None:  # noqa: FBT001
    turn = Turn(poll_every_s=60, resweep_s=21_600)
    assert (turn.slice_size(runs), turn.is_enough(runs)) == (size, enough)


def test_nothing_is_ever_written(database: Path, poller_on: MakePoller) -> None:
    seed_runs(database, 5, first_start_ms=NOW - DAY, running=2)
    before = (database.read_bytes(), database.stat().st_mtime_ns, sorted(database.parent.iterdir()))
    poller = poller_on().poll().poll(NOW + MINUTE)
    assert poller.source.check()[0].level == "ok"
    assert (database.read_bytes(), database.stat().st_mtime_ns, sorted(database.parent.iterdir())) == before
    with pytest.raises(SourceError, match="can't be opened: attempt to write a readonly database"):
        delete(poller.source)


def delete(source: MlflowRestSource) -> None:
    assert isinstance(source, MlflowDatabaseSource)
    with source._database.reading() as reading:
        reading.rows("DELETE FROM runs RETURNING run_uuid")


def test_a_file_of_wal_is_read_too(database: Path, poller_on: MakePoller) -> None:
    execute(database, "PRAGMA journal_mode = wal")
    runs = seed_runs(database, 5, first_start_ms=NOW - DAY)
    assert set(poller_on().poll().runs) == set(runs)
