"""The demo's teams at work: their runs, logged through MLflow's own client."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from alerter.demo.problems import DemoError
from alerter.demo.scenario import WATCHED, WATCHED_IN, SampleExperiment, SampleRun

if TYPE_CHECKING:  # importing MLflow takes a second and a half
    from mlflow import MlflowClient

log = logging.getLogger(__name__)

_EPOCHS = 5


class Teams:
    """Logs runs to one server.

    Args:
        address: the server's tracking URI.
        folder: an existing folder for the file that becomes an artifact.
    """

    def __init__(self, address: str, folder: Path) -> None:
        from mlflow import MlflowClient  # noqa: PLC0415 - see above

        self._client: MlflowClient = MlflowClient(tracking_uri=address)
        self._weights = folder / "model_weights.pt"
        self._weights.write_bytes(bytes(range(256)) * 256)
        self._experiments: dict[str, str] = {}
        self._going_on: list[str] = []
        self._beats = 0

    def log(self, found: Sequence[SampleExperiment], at_ms: int) -> Iterator[str]:
        """Log experiments with their runs, and give each run's id when it is there.

        Raises:
            DemoError: the server does not take it.
        """
        with _server_errors():
            for experiment in found:
                made = self._client.create_experiment(experiment.name, tags=dict(experiment.tags))
                self._experiments[experiment.name] = made
                for run in experiment.runs:
                    yield self._log(made, run, at_ms)

    def start_watched(self, at_ms: int) -> None:
        """Start the run that takes its team over 80 %.

        Raises:
            DemoError: the server does not take it.
        """
        with _server_errors():
            self._log(self._experiments[WATCHED_IN], WATCHED, at_ms)

    def heartbeat(self, at_ms: int) -> None:
        """Log a metric for each run that goes on, as training does.

        Raises:
            DemoError: the server does not take it.
        """
        self._beats += 1
        with _server_errors():
            for run in self._going_on:
                self._client.log_metric(run, "loss", _loss(_EPOCHS + self._beats), at_ms, _EPOCHS + self._beats)

    def _log(self, experiment: str, run: SampleRun, at_ms: int) -> str:
        from mlflow.entities import Metric, Param  # noqa: PLC0415 - see above

        start, end = run.times(at_ms)
        tags = {"mlflow.user": run.user, **run.tags}
        made: str = self._client.create_run(experiment, start_time=start, tags=tags, run_name=run.name).info.run_id
        until = at_ms if end is None else end
        metrics = [
            Metric("loss", _loss(epoch), start + (until - start) * epoch // _EPOCHS, epoch)
            for epoch in range(1, _EPOCHS + 1)
        ]
        params = [Param(key, value) for key, value in run.params.items()]
        self._client.log_batch(made, metrics=metrics, params=params)
        if run.model:
            self._client.log_artifact(made, str(self._weights))
        if end is None:
            self._going_on.append(made)
        else:
            self._client.set_terminated(made, "FINISHED", end)
        return made


def now_ms() -> int:
    """Return the real time in epoch ms: the demo is a show, and its teams live now."""
    return time.time_ns() // 1_000_000


@contextmanager
def _server_errors() -> Iterator[None]:
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - see above

    try:
        yield
    except (MlflowException, OSError) as error:
        log.exception("MLflow's server failed")
        raise DemoError(f"MLflow's server does not do what it is asked for ({type(error).__name__})") from error


def _loss(epoch: int) -> float:
    return round(0.2 + math.exp(-epoch / 4), 4)
