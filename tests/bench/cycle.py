"""A quiet cycle on a long history, against the same on a short one; and how large the ledger of each is."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from alerter.cycle import run_cycle
from alerter.services import Services
from tests.bench.database import Took, bare_client_mb, measured
from tests.bench.databases import NOW, NOW_MS, Databases
from tests.bench.mlflow_database import add_runs
from tests.bench.workbench import Figure, command, cpu_of, wired, write_config

_RUNNING = 200
_NEW = 50
_POLL_MS = 60_000


@dataclass(frozen=True, slots=True)
class _Measured:
    """CPU seconds of the quickest quiet cycle, what the first one took, and the ledger's bytes after it."""

    runs: int
    cycle: float
    first: Took
    ledger_bytes: int


def cycle(databases: Databases, sizes: Sequence[int], rounds: int) -> Iterator[Figure]:
    """Yield the ratio of a cycle's CPU on each history to that on the first, and the bytes that a run takes."""
    with tempfile.TemporaryDirectory(dir=databases.folder.parent) as folder:
        least, *others = [_measure(Path(folder) / str(runs), databases, runs, rounds) for runs in sizes]
    for each in others:
        detail = (
            f"{each.cycle * 1000:.0f} ms against {least.cycle * 1000:.0f} ms of CPU at {least.runs} runs; "
            f"{_RUNNING} running, {_NEW} new; minima of {rounds}"
        )
        yield Figure(f"quiet cycle at {each.runs} runs", each.cycle / least.cycle, "x", 1.3, detail)
    largest = [least, *others][-1]
    detail = f"{largest.ledger_bytes / 1e6:.1f} MB, first sync of {largest.runs} runs in {largest.first.wall:.1f} s"
    bare = bare_client_mb()
    memory = f"peak {largest.first.peak:.0f} MB, a bare MlflowClient's {bare:.0f} MB"
    yield Figure(f"peak RSS, first sync of {largest.runs} runs", largest.first.peak - bare, "MB", 150, memory)
    yield Figure("ledger of finished runs", largest.ledger_bytes / largest.runs, "bytes a run", 300, detail)


def _measure(folder: Path, databases: Databases, runs: int, rounds: int) -> _Measured:
    folder.mkdir()
    store, now = f"sqlite:///{folder}/mlflow.db", NOW_MS
    shutil.copyfile(databases.sqlite(runs).removeprefix("sqlite:///"), folder / "mlflow.db")
    config = write_config(folder / "alerter", "http://127.0.0.1:9", backend_store=store)
    first = measured(command("once", "--now", NOW, config=config))
    with wired(config) as services:
        with services.store.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        size = (folder / "alerter" / "alerter.db").stat().st_size
        add_runs(store, "running", _RUNNING, now, running=True)
        best = []
        for turn in range(rounds + 2):
            add_runs(store, f"new-{turn}", _NEW, now)
            now += _POLL_MS
            best.append(cpu_of(lambda: _cycle(services, now)))  # noqa: B023 - called at once
        return _Measured(runs, min(best[2:]), first, size)


def _cycle(services: Services, at_ms: int) -> None:
    failed = run_cycle(services, at_ms).failed
    if failed:
        raise RuntimeError(failed[0].error)
