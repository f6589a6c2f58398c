"""When the daemon's jobs run: APScheduler, by intervals only, each job in a thread that can't hold up the end.

Nothing is due at a wall-clock time here: a cron job at local midnight skips the day after the clocks go forward, and
fires twice when they go back. What is due is computed from the data at each tick.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from apscheduler.executors.base import BaseExecutor, run_job
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

_UTC = "UTC"


class Scheduler:
    """Runs jobs at intervals, one instance of each at a time; a tick that comes while its job runs is left out."""

    def __init__(self) -> None:
        # It says in three lines a minute that it runs jobs, and that a long one is still running.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._scheduler = BackgroundScheduler(
            timezone=_UTC,
            executors={"default": _Threads()},
            # The default grace of 1 s drops runs on a busy machine.
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def every(self, seconds: float, name: str, job: Callable[[], None], *, at_once: bool = False) -> None:
        """Run a job every so many seconds; the first time after them, or at once. Replaces a job of that name."""
        first = {"next_run_time": datetime.now(UTC)} if at_once else {}
        trigger = IntervalTrigger(seconds=seconds, timezone=_UTC)
        self._scheduler.add_job(job, trigger, id=name, name=name, replace_existing=True, **first)

    def now(self, name: str) -> None:
        """Let a job run now instead of at its next tick; if it runs already, nothing changes."""
        try:
            self._scheduler.modify_job(name, next_run_time=datetime.now(UTC))
        except JobLookupError:
            return  # not begun yet, or ended

    def start(self) -> None:
        """Begin."""
        self._scheduler.start()

    def stop(self) -> None:
        """Begin nothing more; jobs that run go on, and are told to end by other means."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)


class _Threads(BaseExecutor):  # type: ignore[misc] # published without types
    """A daemon thread a job: those of a pool would be waited for without end when the process exits."""

    def _do_submit_job(self, job: Any, run_times: Sequence[datetime]) -> None:  # noqa: ANN401 - published without types
        def work() -> None:
            try:
                events = run_job(job, job._jobstore_alias, run_times, self._logger.name)  # noqa: SLF001 - as its own do
            except BaseException:  # noqa: BLE001 - as its own executors do: the scheduler must learn that it ended
                error, trace = sys.exc_info()[1:]
                self._run_job_error(job.id, error, trace)
            else:
                self._run_job_success(job.id, events)

        threading.Thread(target=work, name=f"job-{job.id}", daemon=True).start()
