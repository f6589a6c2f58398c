"""Walking over runs in windows that neither skip nor double a row while others come and go."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import TypeVar

from alerter.sources.mlflow_rest.cursor import START, Position
from alerter.sources.mlflow_rest.decoding import run_id, time_of
from alerter.sources.mlflow_rest.errors import MissingError
from alerter.sources.mlflow_rest.tracking import Page, Query, Row, Tracking

IDS_AT_ONCE = 100

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Window:
    """Rows not seen in the windows before, and where to go on after them."""

    rows: list[Row]
    position: Position


class Runs:
    """The runs of the chosen experiments, through a `Tracking`."""

    def __init__(self, tracking: Tracking, experiment_ids: Collection[str], *, page_size: int) -> None:
        self._tracking = tracking
        self._experiment_ids: Sequence[str] = list(experiment_ids)
        self.page_size = page_size

    def page(self, query: Query) -> Page:
        """Return one page of runs, without the experiments that are gone."""
        if not self._experiment_ids:
            return Page([], "")
        try:
            return self._tracking.runs(self._experiment_ids, query)
        except MissingError:
            # Some servers refuse the whole search for one experiment that was erased since it was listed.
            there = {str(row.get("experiment_id")) for row in all_experiments(self._tracking)}
            left = [each for each in self._experiment_ids if each in there]
            if len(left) == len(self._experiment_ids):
                raise
            self._experiment_ids = left
            return self.page(query)

    def windows(
        self, where: str, key: str, start: Position = START, *, limit: int | None = None, deleted: bool = True
    ) -> Iterator[Window]:
        """Yield the runs of a filter by ``key`` (``start_time``, ``end_time``) upwards, each once, from a position on.

        At most ``limit`` rows are read at once. A window asks for ``key >= the last one seen``, so rows that come and
        go before it move nothing; an offset (MLflow's page token) only gets past more ties than fit in one window.
        """
        size = min(limit or self.page_size, self.page_size)
        position, done = start, frozenset[str]()
        while True:
            bound = "" if position.at_ms is None else f"attributes.{key} >= {position.at_ms}"
            filters = " AND ".join(part for part in (where, bound) if part)
            page = self.page(Query(filters, f"attributes.{key} ASC", size, position.token, deleted))
            rows = [row for row in page.rows if run_id(row) not in done]
            following = _after(page.rows, key, position)
            if not page.token:
                if rows:
                    yield Window(rows, position if following.at_ms == position.at_ms else following)
                return
            if following.at_ms == position.at_ms:
                following = Position(position.at_ms, page.token)
                done |= {run_id(row) for row in page.rows}
            else:
                done = frozenset(run_id(row) for row in page.rows if time_of(row, key) == following.at_ms)
            position = following
            yield Window(rows, position)

    def by_ids(self, run_ids: Collection[str]) -> Iterator[list[Row]]:
        """Yield the runs of these ids that still exist."""
        ordered = sorted(each for each in run_ids if each.isalnum())  # they go into a filter
        for first in range(0, len(ordered), IDS_AT_ONCE):
            some = ordered[first : first + IDS_AT_ONCE]
            quoted = ", ".join(f"'{each}'" for each in some)
            yield self.page(Query(f"attributes.run_id IN ({quoted})", "attributes.start_time ASC", len(some))).rows


def all_experiments(tracking: Tracking, page_size: int = 1000) -> Iterator[Row]:
    """Yield every experiment, deleted ones too."""
    token = ""
    while True:
        page = tracking.experiments(page_size, token)
        yield from page.rows
        if not (token := page.token):
            return


def one_ahead(items: Iterator[T], *, waits: bool = False) -> Iterator[T]:
    """Yield the items while a thread of its own already takes the next one; its errors are raised here.

    Closed early, it leaves at most the one call that is under way, which ends by its own time-out; or it ``waits`` for
    that, where the call uses something that is closed next.
    """
    coming = _take(items)
    try:
        while (item := coming.result()) is not None:
            coming = _take(items)
            yield item
    finally:
        if waits:
            wait([coming])


def _take(items: Iterator[T]) -> Future[T | None]:
    return begin(lambda: next(items, None))


def begin(call: Callable[[], T]) -> Future[T]:
    """Make a call in a thread of its own and return what it will come to."""
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(call())
        except Exception as error:  # noqa: BLE001 - whoever waits for the result gets it
            future.set_exception(error)

    # A daemon thread (a pool's are joined at exit): a hanging server must not hold up the end of the process.
    threading.Thread(target=work, name="mlflow-ahead", daemon=True).start()
    return future


def _after(rows: list[Row], key: str, before: Position) -> Position:
    last = time_of(rows[-1], key) if rows else None
    return Position(before.at_ms if last is None else last)
