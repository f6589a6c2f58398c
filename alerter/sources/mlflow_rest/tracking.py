"""What both ways to MLflow can do, and how they try again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, sleep_using_event, stop_after_attempt
from tenacity.stop import stop_when_event_set

from alerter.sources.mlflow_rest.errors import ReadError, TransientError

Row = dict[str, Any]
"""A run or an experiment as MLflow's REST API writes it in JSON."""

ATTEMPTS = 3
LONGEST_WAIT_S = 10.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of one read, and the token of the next page or ``""``."""

    rows: list[Row]
    token: str


@dataclass(frozen=True, slots=True)
class Query:
    """One run search: MLflow's filter, over every lifecycle stage or only over runs that are not deleted."""

    where: str
    order_by: str
    limit: int
    token: str = ""
    deleted: bool = True


@dataclass(frozen=True, slots=True)
class TraceQuery(Query):
    """A search for the traces that began in ``[from_ms, until_ms]``, as MLflow's filter too."""

    from_ms: int = 0
    until_ms: int = 0

    @classmethod
    def between(cls, from_ms: int, until_ms: int, limit: int, token: str) -> TraceQuery:
        """Return the search, oldest first."""
        where = f"timestamp_ms >= {from_ms} AND timestamp_ms <= {until_ms}"
        return cls(where, "timestamp_ms ASC", limit, token, from_ms=from_ms, until_ms=until_ms)


class Traces(Protocol):
    """What reading traces needs of a way to MLflow."""

    def traces(self, experiment_ids: Sequence[str], query: TraceQuery) -> Page:
        """Return one page of traces, without their spans."""
        ...

    def trace_spans(self, trace_ids: Sequence[str]) -> list[Row]:
        """Return ``trace_info`` and ``spans`` of those traces that the server still has."""
        ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a call may take, in seconds: one wait on the server, and before a second attempt (then twice that).

    ``stop`` ends the waiting before another attempt at once.
    """

    timeout_s: float
    back_off_s: float
    stop: threading.Event


class Tracking(Traces, Protocol):
    """A way to MLflow: each call is bounded in time, tries again what may help, and raises `ReadError`."""

    def experiments(self, limit: int, token: str) -> Page:
        """Return one page of all experiments, deleted ones too."""
        ...

    def runs(self, experiment_ids: Sequence[str], query: Query) -> Page:
        """Return one page of runs.

        Raises:
            MissingError: the server refuses the search because an experiment is gone.
        """
        ...

    def version(self) -> str:
        """Return the server's MLflow version, ``""`` if it doesn't tell."""
        ...

    def user(self) -> tuple[str, bool] | None:
        """Return ``(name, is admin)`` of the account that reads, None where the server has no accounts."""
        ...

    def has_workspaces(self) -> bool:
        """Return whether the server separates workspaces."""
        ...


class ArtifactTracking(Tracking, Protocol):
    """A way to MLflow that knows artifacts too."""

    def artifacts(self, run_id: str, model_id: str, path: str, token: str) -> Page:
        """Return ``path``, ``is_dir`` and ``file_size`` (bytes) of what lies directly in a folder (``""``: the root).

        They are a LoggedModel's where ``model_id`` is not ``""``, else a run's. It is tried once: what a store can't
        list it can't list a second later either.

        Raises:
            MissingError: there is no such run or LoggedModel.
        """
        ...

    def models(self, experiment_ids: Sequence[str], query: Query) -> Page:
        """Return one page of LoggedModels that are not deleted."""
        ...


def persistently(source: str, patience: Patience, attempt: Callable[[], T]) -> T:
    """Return what an attempt returns; try again after a `TransientError`, never past the stop event."""
    stop = patience.stop

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, TransientError) else 0.0
        own: float = patience.back_off_s * 2 ** (state.attempt_number - 1)
        return min(max(asked, own), LONGEST_WAIT_S)

    retrying = Retrying(
        stop=stop_after_attempt(ATTEMPTS) | stop_when_event_set(stop),
        wait=wait,
        sleep=sleep_using_event(stop),
        retry=retry_if_exception_type(TransientError),
        reraise=True,
    )
    return once(source, patience, lambda: retrying(attempt))


def once(source: str, patience: Patience, attempt: Callable[[], T]) -> T:
    """Return what an attempt returns; it is not made once reading was stopped."""
    if patience.stop.is_set():
        raise ReadError(source, "reading was stopped.", "")
    return attempt()
