"""The demo from its first bar to its end: the server, the runs, then the showing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from alerter.demo.embedded_mlflow import LOOPBACK, mlflow_server
from alerter.demo.files import write_config
from alerter.demo.problems import DemoError
from alerter.demo.scenario import SampleExperiment, count, experiments
from alerter.demo.screen import Steps, steps
from alerter.demo.teams import Teams, now_ms

if TYPE_CHECKING:
    from alerter.config import Config
    from alerter.store.engine import Store

_PAGE_PORT = 8321
_PORTS = 50

Hold = Callable[["Config"], "AbstractContextManager[Store]"]
"""Opens the state database of a configuration for a process that writes it."""


def free_page_port(wanted: int | None) -> int:
    """Return the port for the page: ``wanted``, or else the first free one from the usual one on.

    Raises:
        DemoError: it is taken.
    """
    for port in range(_PAGE_PORT, _PAGE_PORT + _PORTS) if wanted is None else [wanted]:
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, port))
            return int(probe.getsockname()[1])
    what = f"ports {_PAGE_PORT} to {_PAGE_PORT + _PORTS - 1} are" if wanted is None else f"port {wanted} is"
    raise DemoError(f"{what} taken on {LOOPBACK}: name a free one by --port")


@dataclass(frozen=True, slots=True)
class Demo:
    """One showing.

    Attributes:
        folder: an empty folder; everything is written there.
        port: a free one for the page.
        seconds: how long it goes on after the first alert; None until somebody stops it.
        pretty: whether bars can be drawn.
        program: how the command line is called, for the next steps that are shown.
        keeps: whether the folder stays afterwards.
        environ: of the server.
        hold: opens the state database.
    """

    folder: Path
    port: int
    seconds: float | None
    pretty: bool
    program: str
    keeps: bool
    environ: Mapping[str, str]
    hold: Hold

    def run(self, stop: threading.Event) -> None:
        """Show it, until it is stopped or over.

        Raises:
            DemoError: a part did not start, or no alert came; everything has been ended.
            ConfigError, StoreError, WebServerError: as those of `alerter run`.
        """
        with steps(pretty=self.pretty) as shown:
            shown.begin("Starting MLflow")
            warm = threading.Thread(target=_import_what_is_slow, name="warm-up", daemon=True)
            warm.start()
            with mlflow_server(self.folder / "mlflow", self.environ, stop) as mlflow:
                while warm.is_alive() and not stop.is_set():
                    warm.join(0.1)
                if not stop.is_set():
                    self._with_mlflow(mlflow, stop, shown)

    def _with_mlflow(self, mlflow: str, stop: threading.Event, shown: Steps) -> None:
        from alerter.config import load  # noqa: PLC0415 - imported while MLflow started
        from alerter.demo.showing import Showing, prices  # noqa: PLC0415

        at_ms = now_ms()
        config = load(write_config(self.folder, mlflow=mlflow, port=self.port, now_ms=at_ms), {})
        per_hour = prices(config, at_ms)
        teams = Teams(mlflow, self.folder)
        _log_runs(teams, experiments(per_hour), stop, shown)
        if not stop.is_set():
            showing = Showing(config, mlflow, teams, per_hour, shown)
            with self.hold(config) as store:
                showing.run(store, stop, self.seconds, program=self.program, keeps=self.keeps)


def _log_runs(teams: Teams, found: Sequence[SampleExperiment], stop: threading.Event, shown: Steps) -> None:
    total = count(found)
    shown.begin("Logging sample runs", total)
    for done, _ in enumerate(teams.log(found, now_ms()), 1):
        shown.at(done, total)
        if stop.is_set():
            return


def _import_what_is_slow() -> None:
    """Import what takes seconds while the server starts."""
    for name in ("mlflow.entities", "alerter.demo.showing"):
        import_module(name)
