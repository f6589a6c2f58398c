"""Walking over all runs by several requests at once, in their order nevertheless, so that one place tells how far."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from itertools import islice

from alerter.sources.mlflow_rest.cursor import Position
from alerter.sources.mlflow_rest.decoding import run_id, time_of
from alerter.sources.mlflow_rest.walk import Runs, Window, begin, one_ahead

KEY = "start_time"
AT_ONCE = 4
"""Windows that one thread reads ahead; what a range holds beyond them is read in its turn."""

FULL = 0.9
"""How much of a window a range should fill: two requests for a little more than one are slower than one."""

FIRST = 4
"""Which part of a window is asked for by itself, to learn how close together runs are."""

SHORTEST_MS = 1_000
CHANGE = 4
"""How many times longer or shorter than the one before a range may be."""


@dataclass(frozen=True, slots=True)
class _Range:
    """Runs that began in ``[start, end)``, epoch ms; ``end_ms`` is None for all that began later."""

    start_ms: int
    end_ms: int | None

    @property
    def where(self) -> str:
        return "" if self.end_ms is None else f"attributes.{KEY} < {self.end_ms}"


def windows_at_once(runs: Runs, start: Position, *, requests: int, until_ms: int) -> Iterator[Window]:
    """Yield every run by its start from a position on, as `Runs.windows` does, by so many requests at once.

    Runs are read in ranges of time, each about a window long, as the ones before tell. ``until_ms`` is about when the
    last one began.
    """
    if requests <= 1:
        yield from one_ahead(runs.windows("", KEY, start))
        return
    for window in runs.windows("", KEY, start, limit=max(runs.page_size // FIRST, 2)):
        yield window
        place = window.position
        if place.at_ms is not None and not place.token and len(window.rows) > 1:
            break
    else:
        return
    seen = {run_id(row) for row in window.rows}
    for each in _ranges(runs, place.at_ms, _span_ms(runs, window), requests, until_ms):
        rows = [row for row in each.rows if run_id(row) not in seen] if seen else each.rows
        seen = set() if each.position.at_ms != place.at_ms else seen
        if rows:
            yield replace(each, rows=rows)


def _span_ms(runs: Runs, window: Window) -> int:
    """Return how much time about a window of runs takes, as this one did."""
    times = [at for at in (time_of(row, KEY) for row in window.rows) if at is not None]
    return _sized(max(times, default=0) - min(times, default=0), len(window.rows), runs.page_size)


def _sized(span_ms: int, rows: int, page_size: int) -> int:
    wanted = round(span_ms * FULL * page_size / max(rows, 1))
    return max(min(wanted, span_ms * CHANGE), span_ms // CHANGE, SHORTEST_MS)


def _ranges(runs: Runs, at_ms: int, span_ms: int, requests: int, until_ms: int) -> Iterator[Window]:
    waiting: deque[tuple[_Range, Future[list[Window]]]] = deque()
    more = True
    while waiting or more:
        while more and len(waiting) < requests:
            end_ms = at_ms + span_ms
            more = end_ms < until_ms
            asked = _Range(at_ms, end_ms if more else None)
            waiting.append((asked, begin(lambda asked=asked: _first(runs, asked))))  # type: ignore[misc]
            at_ms = end_ms
        done, coming = waiting.popleft()
        count = 0
        for window in _whole(runs, done, coming.result()):
            count += len(window.rows)
            yield window
        if done.end_ms is not None:
            span_ms = _sized(done.end_ms - done.start_ms, count, runs.page_size)


def _first(runs: Runs, asked: _Range) -> list[Window]:
    return list(islice(runs.windows(asked.where, KEY, Position(asked.start_ms)), AT_ONCE))


def _whole(runs: Runs, asked: _Range, first: list[Window]) -> Iterator[Window]:
    yield from first
    if len(first) == AT_ONCE:
        done = {run_id(row) for row in first[-1].rows}
        for window in one_ahead(runs.windows(asked.where, KEY, first[-1].position)):
            yield replace(window, rows=[row for row in window.rows if run_id(row) not in done])
