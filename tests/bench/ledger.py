"""The ledger's own work: looking again at runs that did not change, and the totals of a budget that is new."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from alerter.core.budgets import Budget
from alerter.core.ports import Batch, Finding, PollRequest
from alerter.core.usage import RunObservation, RunStatus
from alerter.cycle import run_cycle
from alerter.services import Services
from alerter.store.backfill import recompute
from alerter.store.interning import Interner
from alerter.store.totals import Attribution
from tests.bench.workbench import Figure, cpu_of, now_ms, seconds_of, services_for

_HOUR_MS = 3_600_000
_DAYS = 90
_ROUNDS = 5
_BATCH = 1000
_ZONE = "Europe/Berlin"
_LEDGER = ("run", "charge", "daily", "open_segment", "correction", "tag_set", "usage_set", "rate")


class _Runs:
    """A source of finished runs over three months, a quarter of which go over a midnight, of 740 tag sets."""

    name = "main"

    def __init__(self, runs: int, now: int) -> None:
        first, span = now - _DAYS * 24 * _HOUR_MS, (_DAYS - 1) * 24 * _HOUR_MS
        self._runs = [_run(number, first + number * 77_777_777 % span) for number in range(runs)]

    def poll(self, _request: PollRequest) -> Iterator[Batch]:
        """Yield every run, in batches."""
        for start in range(0, len(self._runs), _BATCH):
            runs = self._runs[start : start + _BATCH]
            yield Batch(runs, str(start), swept=start + _BATCH >= len(self._runs))

    def run_url(self, _experiment_id: str, _run_uuid: str) -> str:
        """Return no page."""
        return ""

    def check(self) -> list[Finding]:
        """Return nothing: there is nothing to reach."""
        return []


def _run(number: int, start_ms: int) -> RunObservation:
    tags = (("experiment", "x"), ("project", f"project-{number % 37}"), ("team", f"team-{number % 20}"))
    return RunObservation(
        f"{number:032x}",
        "1",
        f"run-{number}",
        "ann",
        RunStatus.FINISHED,
        start_ms,
        start_ms + 60_000 + number * 7919 % (12 * _HOUR_MS),
        deleted=False,
        tags=tags,
        usage=(("instance_type", "m5.xlarge"),),
    )


def rereading(runs: int) -> Iterator[Figure]:
    """Yield how many rows change when unchanged runs are read again, and our own CPU for each."""
    with tempfile.TemporaryDirectory() as folder, services_for(Path(folder) / "one", "http://127.0.0.1:9") as made:
        now = now_ms()
        services = replace(made, sources=[_Runs(runs, now)])
        run_cycle(services, now)
        before = _rows(services)
        again = min(cpu_of(lambda: run_cycle(services, now + 60_000)) for _ in range(_ROUNDS))
        yield Figure(f"rows that {runs} unchanged runs change", len(before ^ _rows(services)), "rows", 0)
        detail = f"{again * 1000:.0f} ms of CPU in all; MLflow's server takes 1.75 ms a run"
        yield Figure("unchanged run read again, own CPU", again * 1000 / runs, "ms", 0.1, detail)


def backfill(charges: int) -> Iterator[Figure]:
    """Yield the time that a new budget's totals take, by itself and against reading and adding up the same rows."""
    with tempfile.TemporaryDirectory() as folder, services_for(Path(folder) / "one", "http://127.0.0.1:9") as made:
        now = now_ms()
        run_cycle(replace(made, sources=[_Runs(charges, now)]), now)
        budgets = [(row_id, each) for row_id, each in made.ledger.budgets.items() if each.group_by]
        database = Path(folder) / "one" / "alerter.db"
        raw, ours = [], []
        for _ in range(_ROUNDS):
            raw.append(seconds_of(lambda: _add_up(database)))
            ours.append(seconds_of(lambda: _total(made, budgets)))
        detail = f"minimum of {_ROUNDS}; days of {_ZONE}"
        yield Figure(f"new budget over {charges} charges", min(ours), "s", 0.3 * charges / 100_000, detail)
        detail = f"{min(ours):.2f} s against {min(raw):.2f} s"
        yield Figure("new budget / reading the charges", min(ours) / min(raw), "x", 3, detail)


def _total(services: Services, budgets: list[tuple[int, Budget]]) -> None:
    interner = Interner()
    local = [(row_id, replace(budget, timezone=_ZONE)) for row_id, budget in budgets]
    with services.store.read() as connection:
        recompute(connection, Attribution(local, services.config.tags, interner, adds=False), interner)


def _add_up(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT * FROM charge").fetchall()
        return sum(row[8] for row in rows)


def _rows(services: Services) -> set[tuple[object, ...]]:
    with services.store.read() as connection:
        return {
            (table, *row)
            for table in _LEDGER
            for row in connection.exec_driver_sql(f"SELECT * FROM {table}")  # noqa: S608
        }
