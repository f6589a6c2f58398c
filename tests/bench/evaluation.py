"""Evaluation of very many scopes, and the size of the ledger."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from alerter.core.ports import Batch, Finding, PollRequest
from alerter.core.usage import RunObservation, RunStatus
from alerter.cycle import run_cycle
from alerter.evaluate import evaluate_all
from tests.bench.workbench import Figure, now_ms, seconds_of, services_for

_HOUR_MS = 3_600_000
_ROUNDS = 5


class _Teams:
    """A source of finished runs, one of each team."""

    name = "main"

    def __init__(self, teams: int, now: int) -> None:
        usage = (("instance_type", "m5.xlarge"),)
        self._runs = [
            RunObservation(
                f"{number:032x}",
                "1",
                f"run-{number}",
                "ann",
                RunStatus.FINISHED,
                now - 3 * _HOUR_MS,
                now - 2 * _HOUR_MS,
                deleted=False,
                tags=(("experiment", "x"), ("team", f"team-{number}")),
                usage=usage,
            )
            for number in range(teams)
        ]

    def poll(self, _request: PollRequest) -> Iterator[Batch]:
        """Yield every run, in batches."""
        for start in range(0, len(self._runs), 1000):
            yield Batch(self._runs[start : start + 1000], str(start), swept=start + 1000 >= len(self._runs))

    def run_url(self, _experiment_id: str, _run_uuid: str) -> str:
        """Return no page."""
        return ""

    def check(self) -> list[Finding]:
        """Return nothing: there is nothing to reach."""
        return []


def evaluation(scopes: int) -> Iterator[Figure]:
    """Yield the time of one evaluation of so many scopes, and the bytes that a finished run takes."""
    with tempfile.TemporaryDirectory() as folder, services_for(Path(folder) / "one", "http://127.0.0.1:9") as made:
        now = now_ms()
        services = replace(made, sources=[_Teams(scopes, now)])
        run_cycle(services, now)

        def evaluate() -> None:
            with services.ledger.write() as view:
                evaluate_all(view, now_ms=now, before_ms=now)

        best = min(seconds_of(evaluate) for _ in range(_ROUNDS))
        yield Figure(f"evaluation of {scopes} scopes", best, "s", 0.2 * scopes / 10_000, f"minimum of {_ROUNDS}")
        with services.store.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        size = (Path(folder) / "one" / "alerter.db").stat().st_size
        detail = f"{size / 1e6:.1f} MB, every run with tags and a scope of its own: the worst case"
        yield Figure("ledger, one tag set a run", size / scopes, "bytes a run", 1500, detail)
