"""Evaluation of very many scopes, and the size of the ledger."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from alerter.briefing import Moment
from alerter.core.ports import Batch, Finding, PollRequest
from alerter.core.usage import RunObservation, RunStatus
from alerter.cycle import run_cycle
from alerter.evaluate import evaluate_all
from alerter.run_alerts import judge_runs
from tests.bench.workbench import Figure, cpu_of, now_ms, seconds_of, services_for

_HOUR_MS = 3_600_000
_ROUNDS = 5
_BUDGETS = """\
defaults: {receivers: [console], thresholds: [50%, 80%, 100%, forecast 100%, forecast 125%]}
budgets:
  - {name: every-team, group_by: [team], amount: 2000, period: monthly, per_run: 100000}
"""


class _Teams:
    """A source of one run of each team, of 20 days: each fiftieth cost a lot, each twentieth still runs."""

    name = "main"

    def __init__(self, teams: int, now: int) -> None:
        self._runs = [_run(number, now) for number in range(teams)]

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


def _run(number: int, now: int) -> RunObservation:
    dear, running = number % 50 == 0, number % 20 == 5
    return RunObservation(
        f"{number:032x}",
        "1",
        f"run-{number}",
        "ann",
        RunStatus.RUNNING if running else RunStatus.FINISHED,
        now - 20 * 24 * _HOUR_MS,
        None if running else now - 2 * _HOUR_MS,
        deleted=False,
        tags=(("experiment", "x"), ("team", f"team-{number}")),
        usage=(("instance_type", "m5.xlarge"), ("num_nodes", "30" if dear else "1")),
        last_metric_ms=now - _HOUR_MS if running else None,
    )


def evaluation(scopes: int) -> Iterator[Figure]:
    """Yield the time of one evaluation of so many scopes, and the bytes that a finished run takes."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "one"
        with services_for(home, "http://127.0.0.1:9", budgets=_BUDGETS) as made:
            now = now_ms()
            services = replace(made, sources=[_Teams(scopes, now)])
            run_cycle(services, now)
            moment = Moment(now, now, stale=False, opening=False)

            def evaluate() -> None:
                with services.ledger.write() as view:
                    evaluate_all(view, now_ms=now, before_ms=now)
                    judge_runs(view, services.describer, moment)

            def evaluate_anew() -> None:
                services.ledger.attribution.watch.forget()  # as at a local midnight
                evaluate()

            again = min(cpu_of(evaluate) for _ in range(_ROUNDS))
            cpu, wall = (min(timed(evaluate_anew) for _ in range(_ROUNDS)) for timed in (cpu_of, seconds_of))
            detail = f"5 thresholds; each fiftieth is over, each twentieth accrues; minima of {_ROUNDS}, "
            detail += f"wall {wall:.3g} s; {again:.3g} s where all were looked at that day"
            yield Figure(f"evaluation of {scopes} scopes", cpu, "CPU s", 0.2 * scopes / 10_000, detail)
            with services.store.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            size = (home / "alerter.db").stat().st_size
            detail = f"{size / 1e6:.1f} MB, every run with tags, 20 days and a scope of its own: the worst case"
            yield Figure("ledger, one tag set a run", size / scopes, "bytes a run", 1500, detail)
