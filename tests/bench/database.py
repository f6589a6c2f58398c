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
from dataclasses import dataclass
from pathlib import Path

from alerter.core.resources import usage_keys
from tests.bench.databases import NOW, Databases
from tests.bench.mlflow_database import plain
from tests.bench.workbench import Figure, command, peak_mb, write_config

_KEYS = sorted(usage_keys())
_RUNS = "SELECT run_uuid, experiment_id, name, user_id, status, start_time, end_time, lifecycle_stage FROM runs"
_PARAMS = "SELECT run_uuid, key, value FROM params WHERE key IN ({marks})"
_TAGS = "SELECT run_uuid, key, value FROM tags"
_BEATS = (
    "SELECT r.run_uuid, (SELECT MAX(m.timestamp) FROM latest_metrics AS m WHERE m.run_uuid = r.run_uuid) "
    "FROM runs AS r WHERE r.status NOT IN ('FINISHED', 'FAILED', 'KILLED')"
)
"""Of what has ended no sign of life is asked for."""

_BY_HAND = """
import mlflow
mlflow.set_tracking_uri({store!r})
runs = mlflow.search_runs(["0"], max_results={runs})
if len(runs):
    hours = (runs.end_time - runs.start_time).dt.total_seconds() / 3600
    print(hours.groupby([runs["tags.team"], runs["params.instance_type"]]).sum())
"""


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds on the wall, seconds of CPU, and the peak of memory in MB."""

    wall: float
    cpu: float
    peak: float = 0.0


def first_sync_database(databases: Databases, runs: int, by_hand: int, rounds: int) -> Iterator[Figure]:
    """Yield the ratios of a first sync from SQLite and, where it can be started, PostgreSQL, and its peak memory."""
    full, empty = databases.sqlite(runs), databases.sqlite(0)
    with tempfile.TemporaryDirectory() as folder:
        synced, figures = _ratios(Path(folder), "SQLite", (full, empty), lambda: _raw_sqlite(full), (runs, rounds))
        yield from figures
    if by_hand:
        stores = (databases.sqlite(by_hand), empty)
        hand = [_by_hand(store, by_hand) for store in stores]
        ratio, of_cpu = (
            (ours / runs) / (_less(*theirs) / by_hand)
            for ours, theirs in ((synced.wall, [each.wall for each in hand]), (synced.cpu, [each.cpu for each in hand]))
        )
        detail = f"a run, of {by_hand} runs by hand: {1 / ratio:.0f} x faster, with {1 / of_cpu:.0f} x less CPU"
        yield Figure("first sync / search_runs and pandas", ratio, "x", 1 / 40, detail)
    with databases.postgres() as server, tempfile.TemporaryDirectory() as folder:
        if server is not None:
            full, empty = server.of(runs), server.of(0)
            yield from _ratios(Path(folder), "PostgreSQL", (full, empty), lambda: _raw_postgres(full), (runs, rounds))[
                1
            ]


def _ratios(
    folder: Path, kind: str, stores: tuple[str, str], raw: Callable[[], object], size: tuple[int, int]
) -> tuple[Took, Sequence[Figure]]:
    """Return what a first sync takes less that on an empty server, and the figures; rounds are interleaved."""
    runs, rounds = size
    bare: list[Took] = []
    full: list[Took] = []
    empty: list[Took] = []
    for turn in range(rounds):
        bare.append(_timed(raw))
        for store, found in zip(stores, (full, empty), strict=True):
            found.append(_once(folder / f"{kind}-{len(full)}-{len(empty)}-{turn}", store))
    wall = _less(min(each.wall for each in full), min(each.wall for each in empty))
    cpu = _less(min(each.cpu for each in full), min(each.cpu for each in empty))
    raw_wall, raw_cpu = min(each.wall for each in bare), min(each.cpu for each in bare)
    detail = f"{wall:.2f} s against {raw_wall:.2f} s, {runs} runs, minima of {rounds}; "
    detail += f"of CPU {cpu:.2f} s against {raw_cpu:.2f} s: {cpu / raw_cpu:.2f} x"
    peak, bare_peak = max(each.peak for each in full), bare_client_mb()
    memory = f"peak {peak:.0f} MB, a bare MlflowClient's {bare_peak:.0f} MB"
    return Took(wall, cpu), (
        Figure(f"first sync from {kind} / raw read", wall / raw_wall, "x", 2.5, detail),
        Figure(f"peak RSS of a first sync from {kind}", peak - bare_peak, "MB", 150, memory),
    )


def _timed(work: Callable[[], object]) -> Took:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Took(time.perf_counter() - wall, time.process_time() - cpu)


def _less(full: float, empty: float) -> float:
    return max(full - empty, 1e-3)


def _once(folder: Path, store: str) -> Took:
    """Run ``alerter once`` on a fresh database, at the time at which the kept databases' newest runs ended."""
    config = write_config(folder, "http://127.0.0.1:9", backend_store=store)
    return measured(command("once", "--now", NOW, config=config))


def _by_hand(store: str, runs: int) -> Took:
    return measured([sys.executable, "-W", "ignore", "-c", _BY_HAND.format(store=store, runs=runs)])


def bare_client_mb() -> float:
    """Return the peak of memory of ``from mlflow import MlflowClient`` alone, in MB."""
    return measured([sys.executable, "-c", "from mlflow import MlflowClient"]).peak


def measured(words: Sequence[str]) -> Took:
    """Run a command to its end."""
    began, peak = time.perf_counter(), 0.0
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
        # `ru_maxrss` would begin with what this process held when it started the other one.
        peak = max(peak, peak_mb(process.pid))
        time.sleep(0.02)
    _, status, usage = ended
    took = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, words)
    return Took(took, usage.ru_utime + usage.ru_stime, peak)


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
