"""The daemon at work on what the teams do, and beside it the story that is told on the screen."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from decimal import Decimal

from alerter.bootstrap import make_pricer
from alerter.config import Config
from alerter.core.money import NANOS, human
from alerter.core.periods import HOUR_MS
from alerter.daemon import Daemon
from alerter.demo.curtain import Curtain
from alerter.demo.problems import DemoError
from alerter.demo.scenario import WATCHED, WATCHED_S, PerHour
from alerter.demo.screen import Steps, say
from alerter.demo.teams import Teams, now_ms
from alerter.store.engine import Store

log = logging.getLogger(__name__)

_FIRST_ALERT_S = 90.0
_HEARTBEAT_S = 20.0


class Showing:
    """One run of the daemon, watched.

    Args:
        config: the demo's.
        mlflow: the server's address.
        teams: who start another run meanwhile.
        per_hour: what machines cost.
        shown: the bars, at the last of them.
    """

    def __init__(self, config: Config, mlflow: str, teams: Teams, per_hour: PerHour, shown: Steps) -> None:
        self._config = config
        self._mlflow = mlflow
        self._teams = teams
        self._per_hour = per_hour
        self._shown = shown
        self._curtain = Curtain()

    def run(self, store: Store, stop: threading.Event, seconds: float | None, *, program: str, keeps: bool) -> None:
        """Run the daemon until ``stop`` is set, or so many seconds after the first alert.

        Raises:
            DemoError: no alert came, or MLflow's server went away.
            StoreError, WebServerError: as the daemon.
        """
        failures: list[DemoError] = []
        daemon = Daemon(self._config, store, wire=self._curtain.wire, environ={}, progress=self._on_progress)

        def tell() -> None:
            try:
                self._tell(daemon.url, stop, seconds, _next_steps(program, self._config, keeps=keeps))
            except DemoError as error:
                failures.append(error)
            finally:
                stop.set()

        story = threading.Thread(target=tell, name="story", daemon=True)
        self._shown.begin("First look at MLflow")
        try:
            daemon.run(stop, started=lambda _daemon: story.start())
        finally:
            stop.set()
            if story.is_alive():
                story.join(5)
        if failures:
            raise failures[0]

    def _on_progress(self, _source: str, seen: int, expected: int) -> None:
        if not self._curtain.opened.is_set():
            self._shown.at(seen, expected)

    def _tell(self, page: str, stop: threading.Event, seconds: float | None, next_steps: str) -> None:
        if not _wait(self._curtain.waiting, stop, _FIRST_ALERT_S):
            if stop.is_set():
                return
            raise DemoError(f"no alert within {_FIRST_ALERT_S:.0f} s of the first look at MLflow")
        self._shown.finish()
        say(f"\n  Page    {page}\n  MLflow  {self._mlflow}\n  Files   {self._config.directory}\n")
        self._curtain.opened.set()
        if not _wait(self._curtain.told, stop, _FIRST_ALERT_S):
            return
        say(next_steps.replace("ALERT", self._curtain.first_alert))
        self._teams.start_watched(now_ms())
        say(self._meanwhile(page))
        until = None if seconds is None else time.monotonic() + seconds
        while until is None or time.monotonic() < until:
            if stop.wait(_HEARTBEAT_S if until is None else max(min(_HEARTBEAT_S, until - time.monotonic()), 0)):
                return
            self._teams.heartbeat(now_ms())

    def _meanwhile(self, page: str) -> str:
        burn = human(int(self._per_hour(WATCHED.params) * NANOS), "USD")
        machines = f"{WATCHED.params['num_nodes']} x {WATCHED.params['instance_type']}"
        return (
            f"Right now team vision starts {machines}: {burn} an hour.\n"
            f"In {WATCHED_S} s that takes it over 80 %. Watch it here, or on {page}\n"
        )


def prices(config: Config, at_ms: int) -> PerHour:
    """Return what a machine costs an hour by the demo's price configuration."""
    pricer = make_pricer(config)

    def per_hour(params: Mapping[str, str]) -> Decimal:
        lines = pricer.lines(tuple(sorted(params.items())), (), at_ms, at_ms + HOUR_MS)
        return Decimal(sum(line.cost_nanos for line in lines)) / NANOS

    return per_hour


def _next_steps(program: str, config: Config, *, keeps: bool) -> str:
    folder = config.directory
    leaving = f"{folder.parent} stays" if keeps else "leaves nothing behind"
    return (
        "\nTry in another terminal, or change an amount in budgets.yaml and save:\n\n"
        f"  {program} status --config {folder}\n"
        f"  {program} explain ALERT --config {folder}\n"
        f"  {program} ack ALERT --config {folder}\n\n"
        f"Ctrl-C stops everything and {leaving}.\n"
    )


def _wait(event: threading.Event, stop: threading.Event, seconds: float) -> bool:
    """Wait for an event; False if it did not come in time, or the stop came first."""
    deadline = time.monotonic() + seconds
    while not event.wait(0.05):
        if stop.is_set() or time.monotonic() > deadline:
            return False
    return True
