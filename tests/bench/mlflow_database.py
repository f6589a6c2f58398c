"""MLflow databases of any size: the schema by MLflow's own store, the rows straight into it."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

from sqlalchemy.engine import make_url

from tests.bench.workbench import python

EVERY_MS = 20_000
HOUR_MS = 3_600_000
CHUNK = 5_000
CACHE_KIB = 3_000_000
"""Ids are random: an index of millions of them is only quickly made in memory."""

TYPES = ("m5.xlarge", "g5.2xlarge", "p4d.24xlarge")

_MAKE = "from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore\nSqlAlchemyStore({store!r}, '/nowhere')"

Rows = Iterator[tuple[Any, ...]]
COLUMNS = {
    "runs": "run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, end_time, "
    "source_version, lifecycle_stage, artifact_uri, experiment_id",
    "params": "key, value, run_uuid",
    "tags": "key, value, run_uuid",
    "latest_metrics": "key, value, timestamp, step, is_nan, run_uuid",
}


def make_database(store: str, runs: int, now_ms: int) -> None:
    """Make MLflow's tables in a new database and so many finished runs of 17 params, 8 tags, 12 metrics each."""
    python(_MAKE.format(store=store))
    if make_url(store).get_backend_name() == "sqlite":
        _fill_sqlite(store, runs, now_ms)
    else:
        _fill_postgres(store, runs, now_ms)


def add_runs(store: str, prefix: str, runs: int, now_ms: int, *, running: bool = False) -> None:
    """Add runs to a SQLite database that ended just before ``now_ms``, or that still run."""
    ids = [f"{prefix}-{number}" for number in range(runs)]
    with closing(sqlite3.connect(store.removeprefix("sqlite:///"))) as connection, connection:
        for table in COLUMNS:
            _insert(connection, table, rows_of(table, ids, 0, now_ms - 620_000 - runs * EVERY_MS // 100))
        if running:
            sql = "UPDATE runs SET status = 'RUNNING', end_time = NULL WHERE run_uuid = ?"
            connection.executemany(sql, [(each,) for each in ids])


def _insert(connection: sqlite3.Connection, table: str, rows: Rows) -> None:
    columns = COLUMNS[table]
    marks = ", ".join("?" * (columns.count(",") + 1))
    connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)  # noqa: S608 - names from above


def rows_of(table: str, ids: Sequence[str], first: int, first_ms: int) -> Rows:
    """Yield the rows of one table for runs of these ids, the first of which is number ``first``."""
    make: Callable[[int, str, int], Rows] = _ROWS[table]
    for number, run in enumerate(ids, first):
        yield from make(number, run, first_ms + number * EVERY_MS)


def _runs(number: int, run: str, start_ms: int) -> Rows:
    end_ms = start_ms + 600_000 + number % 1000
    where = f"mlflow-artifacts:/0/{run}/artifacts"
    user = f"user-{number % 50}"
    yield (run, f"run-{number}", "UNKNOWN", "", "", user, "FINISHED", start_ms, end_ms, "", "active", where, 0)


def _params(number: int, run: str, _start_ms: int) -> Rows:
    yield from ((f"param_{index}", str(number * 0.001 + index), run) for index in range(13))
    yield ("instance_type", TYPES[number % 3], run)
    yield ("num_workers", str(number % 4 + 1), run)
    yield ("region", "us-east-1", run)
    yield ("learning_rate", "0.1", run)


def _tags(number: int, run: str, _start_ms: int) -> Rows:
    yield ("team", f"team-{number % 20}", run)
    yield ("project", f"project-{number % 50}", run)
    yield ("cost_center", f"cc-{number % 5}", run)
    yield ("stage", "dev", run)
    yield ("mlflow.user", f"user-{number % 50}", run)
    yield ("mlflow.runName", f"run-{number}", run)
    yield ("mlflow.source.name", "train.py", run)
    yield ("mlflow.source.type", "LOCAL", run)


def _metrics(_number: int, run: str, start_ms: int) -> Rows:
    yield from ((f"metric_{index}", index * 0.1, start_ms + 500_000 + index, 100, False, run) for index in range(12))


_ROWS: dict[str, Callable[[int, str, int], Rows]] = {
    "runs": _runs,
    "params": _params,
    "tags": _tags,
    "latest_metrics": _metrics,
}


def _chunks(runs: int, now_ms: int) -> Iterator[tuple[list[str], int, int]]:
    chance = random.Random(7)  # noqa: S311 - ids that are the same in every round
    first_ms = now_ms - runs * EVERY_MS - HOUR_MS
    for first in range(0, runs, CHUNK):
        ids = [f"{chance.getrandbits(128):032x}" for _ in range(min(CHUNK, runs - first))]
        yield ids, first, first_ms


def _fill_sqlite(store: str, runs: int, now_ms: int) -> None:
    with closing(sqlite3.connect(store.removeprefix("sqlite:///"), isolation_level=None)) as connection:
        for each in ("journal_mode = off", "synchronous = off", f"cache_size = -{CACHE_KIB}"):
            connection.execute(f"PRAGMA {each}")
        connection.execute("BEGIN")
        marks = ", ".join("?" * len(COLUMNS))
        sql = f"SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql <> '' AND tbl_name IN ({marks})"  # noqa: S608
        indexes = connection.execute(sql, list(COLUMNS)).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        for ids, first, first_ms in _chunks(runs, now_ms):
            for table in COLUMNS:
                _insert(connection, table, rows_of(table, ids, first, first_ms))
        for _, make in indexes:
            connection.execute(make)
        connection.execute("COMMIT")


def _fill_postgres(store: str, runs: int, now_ms: int) -> None:
    import psycopg  # noqa: PLC0415 - not everybody has it

    with psycopg.connect(plain(store)) as connection, connection.cursor() as cursor:
        for ids, first, first_ms in _chunks(runs, now_ms):
            for table, columns in COLUMNS.items():
                with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                    for row in rows_of(table, ids, first, first_ms):
                        copy.write_row(row)
    with psycopg.connect(plain(store), autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def plain(store: str) -> str:
    """Return the URL as psycopg takes it."""
    return make_url(store).set(drivername="postgresql").render_as_string(hide_password=False)
