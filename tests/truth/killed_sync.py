"""A first sync in a process of its own, killed at a point that is asked for: FOLDER DATABASE POINT."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import event

from alerter.bootstrap import wire
from alerter.config import load
from alerter.core.ports import Batch, Finding, PollRequest
from alerter.core.usage import RunObservation
from alerter.cycle import run_cycle
from alerter.store.engine import Store
from tests.truth.ledgers import HOUR, MINUTE, run

NOW_MS = int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()) * 1000
SIZE = 25


def runs() -> list[RunObservation]:
    """Two hundred runs: most have ended, some run on, in four teams and at prices that don't divide."""
    found = []
    for number in range(200):
        start = NOW_MS - (200 - number) * 47 * MINUTE
        end = None if number % 9 == 0 else start + (number % 13 + 1) * HOUR
        usage = {"cpu_cores": str(number % 7 + 1), "memory_gb": "3"}
        tags = {"team": f"t{number % 4}"}
        found.append(run(f"r{number:03}", "FINISHED" if end else "RUNNING", start, end, usage=usage, tags=tags))
    return found


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_within(store: Store, number: int) -> None:
    """Die in the middle of a batch's transaction: its runs and charges are written, its totals not yet."""
    left = [number]

    def look(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        left[0] -= statement.startswith("INSERT INTO daily")
        if left[0] < 0:
            die()

    event.listen(store.engine, "before_cursor_execute", look)


@dataclass
class Source:
    """Goes on where the last recorded batch ended; dies between two batches, or when an alert is described."""

    point: str
    name: str = "main"

    def poll(self, request: PollRequest) -> Iterator[Batch]:
        seen = runs()
        for at in range(int(request.cursor or 0), len(seen), SIZE):
            if self.point == f"before {at // SIZE}":
                die()
            yield Batch(seen[at : at + SIZE], str(at + SIZE), swept=at + SIZE >= len(seen))
        if self.point == "swept":
            die()

    def run_url(self, experiment_id: str, run_uuid: str) -> str:
        if self.point == "evaluating":
            die()
        return ""

    def check(self) -> list[Finding]:
        return []


def main() -> None:
    folder, database, point = sys.argv[1:]
    store = Store(f"sqlite:///{database}")
    services = wire(load(Path(folder), {}), store, now_ms=NOW_MS)
    source = Source(point)
    if point.startswith("within"):
        die_within(store, int(point.split()[1]))
    links = replace(services.describer.links, runs={"main": source.run_url})
    describer = replace(services.describer, links=links)
    report = run_cycle(replace(services, sources=[source], describer=describer), NOW_MS)
    print(report.evaluated)  # noqa: T201 - the test reads it
    store.close()


if __name__ == "__main__":
    main()
