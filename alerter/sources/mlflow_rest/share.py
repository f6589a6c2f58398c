"""A share of the tracking server's time: what need not be read now waits, so that people have the rest."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from alerter.sources.mlflow_rest.tracking import ArtifactTracking, Page, Query, Row, TraceQuery

AHEAD_S = 2.0
"""Server time that may be used at once after a quiet while: an ordinary poll never waits."""

LONGEST_S = 20.0
"""So long does a call wait for its turn at most: it is part of a poll, and alerts come when that is through."""

T = TypeVar("T")


class Share:
    """Paces calls: together they take no more than a share of the time that passes, after `AHEAD_S` at once.

    Of one call counts what `LONGEST_S` make up for: a server that was slow once holds nothing up for minutes.

    Args:
        share: of elapsed time, above 0, at most 1.
        stop: ends the waiting.
        clock: seconds that never go back.
        wait: waits so many seconds.
    """

    def __init__(
        self,
        share: float,
        stop: threading.Event,
        *,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        self._share = share
        self._clock = clock
        self._wait = wait or stop.wait
        self._credit_s = AHEAD_S
        self._at_s = clock()

    def take(self, call: Callable[[], T]) -> T:
        """Return what a call returns, made when its turn has come."""
        self._earn()
        if self._credit_s < 0:
            self._wait(-self._credit_s / self._share)
            self._earn()
        began = self._clock()
        try:
            return call()
        finally:
            self._credit_s -= self._clock() - began
            self._earn()
            self._credit_s = max(self._credit_s, -LONGEST_S * self._share)

    def _earn(self) -> None:
        now = self._clock()
        self._credit_s = min(self._credit_s + (now - self._at_s) * self._share, AHEAD_S)
        self._at_s = now


class PacedTracking:
    """A way to MLflow whose every call waits for its turn."""

    def __init__(self, tracking: ArtifactTracking, share: Share) -> None:
        self._tracking = tracking
        self._share = share

    def experiments(self, limit: int, token: str) -> Page:
        """See `Tracking`."""
        return self._share.take(lambda: self._tracking.experiments(limit, token))

    def runs(self, experiment_ids: Sequence[str], query: Query) -> Page:
        """See `Tracking`."""
        return self._share.take(lambda: self._tracking.runs(experiment_ids, query))

    def traces(self, experiment_ids: Sequence[str], query: TraceQuery) -> Page:
        """See `Tracking`."""
        return self._share.take(lambda: self._tracking.traces(experiment_ids, query))

    def trace_spans(self, trace_ids: Sequence[str]) -> list[Row]:
        """See `Tracking`."""
        return self._share.take(lambda: self._tracking.trace_spans(trace_ids))

    def artifacts(self, run_id: str, model_id: str, path: str, token: str) -> Page:
        """See `ArtifactTracking`."""
        return self._share.take(lambda: self._tracking.artifacts(run_id, model_id, path, token))

    def models(self, experiment_ids: Sequence[str], query: Query) -> Page:
        """See `ArtifactTracking`."""
        return self._share.take(lambda: self._tracking.models(experiment_ids, query))

    def version(self) -> str:
        """See `Tracking`."""
        return self._share.take(self._tracking.version)

    def user(self) -> tuple[str, bool] | None:
        """See `Tracking`."""
        return self._share.take(self._tracking.user)

    def has_workspaces(self) -> bool:
        """See `Tracking`."""
        return self._share.take(self._tracking.has_workspaces)
