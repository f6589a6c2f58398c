"""A later poll: what is new, changed or running, and a bounded part of everything else (the package tells why)."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from alerter.core.ports import Batch, PollRequest
from alerter.core.usage import RunObservation
from alerter.sources.mlflow_rest.cursor import START, Cursor, Position
from alerter.sources.mlflow_rest.decoding import Decoder, run_id, time_of
from alerter.sources.mlflow_rest.sweep import UNFINISHED, latest
from alerter.sources.mlflow_rest.tracking import Query, Row
from alerter.sources.mlflow_rest.walk import Runs

log = logging.getLogger(__name__)

MARGIN = 75
REST = 50
SLICE = 200
SLICE_MAX = 500
RESERVE = 1.1
FUTURE_MS = 24 * 3_600_000
"""Times further ahead than this are a broken clock's: left to the slice, or they would be news in every poll."""

ENDED = "attributes.status != 'RUNNING' AND attributes.status != 'SCHEDULED'"


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a source is polled, how far back late commits are sought, by when all is seen again; in seconds."""

    poll_every_s: float
    overlap_s: float
    resweep_s: float

    def slice_size(self, runs: int) -> int:
        """Return how many of the runs that touch open periods to read in one poll."""
        polls = max(self.resweep_s / self.poll_every_s, 1)
        return min(max(SLICE, math.ceil(RESERVE * runs / polls)), SLICE_MAX)

    def is_enough(self, runs: int) -> bool:
        """Whether so many runs come round within ``resweep_s`` although a slice is bounded."""
        return runs * self.poll_every_s <= SLICE_MAX * self.resweep_s


class Refresh:
    """One later poll.

    Args:
        runs: the chosen experiments' runs.
        decoder: set to their experiments.
        cursor: where the last complete poll left it.
        request: what to poll for.
        pace: how the bounded parts are sized.
        again: the same runs, read at leisure: for what was seen before.
        batch_size: runs of a batch, at least.
    """

    def __init__(
        self,
        runs: Runs,
        decoder: Decoder,
        cursor: Cursor,
        request: PollRequest,
        pace: Pace,
        *,
        again: Runs,
        batch_size: int,
    ) -> None:
        self._runs = runs
        self._again = again
        self._decoder = decoder
        self._request = request
        self._pace = pace
        self._batch_size = batch_size
        self._before = cursor.text()
        # A poll evaluated at an earlier time than the last one looks back to its own.
        self._since_ms = min(cursor.since_ms, request.now_ms)
        self._cursor = cursor
        self._seen: set[str] = set()

    def batches(self) -> Iterator[Batch]:
        """Yield what was found; only the last batch moves the cursor: a poll that breaks off is repeated whole."""
        waiting: list[RunObservation] = []
        high_ms = self._cursor.high_ms
        for rows in self._steps():
            new = [row for row in rows if run_id(row) not in self._seen]
            self._seen.update(run_id(row) for row in new)
            found = self._decoder.decode(new, self._request.now_ms)
            high_ms = latest(found, high_ms)
            waiting += found
            if len(waiting) >= self._batch_size:
                yield Batch(waiting, self._before, swept=True)
                waiting = []
        since_ms = min(self._request.now_ms, high_ms)
        cursor = replace(self._cursor, since_ms=since_ms, high_ms=high_ms)
        gone = tuple(sorted(self._request.open_runs - self._seen))
        yield Batch(waiting, cursor.text(), swept=True, gone=gone)

    def _steps(self) -> Iterator[list[Row]]:
        # Runs that were deleted while RUNNING pile up in MLflow's bin: the next step learns of each by its id, once.
        for window in self._runs.windows(UNFINISHED, "start_time", deleted=False):
            yield window.rows
        yield from self._runs.by_ids(self._request.open_runs - self._seen)
        # Disjoint, so that no row is read twice; the first also has runs that ended without an end_time.
        latest_ms = self._request.now_ms + FUTURE_MS
        began = f"{ENDED} AND attributes.start_time > {self._since_ms} AND attributes.start_time <= {latest_ms}"
        for window in self._runs.windows(began, "start_time"):
            yield window.rows
        ended = f"{ENDED} AND attributes.start_time <= {self._since_ms}"
        ended += f" AND attributes.end_time > {self._since_ms} AND attributes.end_time <= {latest_ms}"
        for window in self._runs.windows(ended, "end_time"):
            yield window.rows
        yield from self._overlap()
        yield from self._slice()

    def _overlap(self) -> Iterator[list[Row]]:
        from_ms = self._since_ms - round(self._pace.overlap_s * 1000)
        where = f"attributes.end_time <= {self._since_ms} AND attributes.end_time > {from_ms}"
        newest = self._runs.page(Query(where, "attributes.end_time DESC", MARGIN))
        yield newest.rows
        rest = START
        if newest.token:
            upper = time_of(newest.rows[-1], "end_time")
            where = f"attributes.end_time <= {upper} AND attributes.end_time > {from_ms}"
            window = next(self._runs.windows(where, "end_time", self._cursor.rest, limit=REST), None)
            if window:
                yield window.rows
                # A short window was the last: begin again.
                rest = window.position if len(window.rows) == REST else START
        self._cursor = replace(self._cursor, rest=rest)

    def _slice(self) -> Iterator[list[Row]]:
        """Read on in turn through the runs that touch an open period: those begun before it, then those begun in it."""
        horizon = self._request.horizon_ms
        legs = (
            f"attributes.start_time < {horizon} AND attributes.end_time >= {horizon}",
            f"attributes.start_time >= {horizon}",
        )
        left = self._pace.slice_size(max(self._cursor.turn_total, self._cursor.turn_count))
        for leg in range(self._cursor.leg, len(legs)):
            position = self._cursor.slice if leg == self._cursor.leg else START
            for window in self._again.windows(legs[leg], "start_time", position, limit=left):
                yield window.rows
                left -= len(window.rows)
                self._advance(leg, window.position, len(window.rows))
                if left <= 0:
                    return
        self._turned()
        if left > 0:
            yield from self._past(left)

    def _past(self, limit: int) -> Iterator[list[Row]]:
        """Read on through the runs of closed periods with what the slice has left: what is late there restates them."""
        where = f"attributes.end_time < {self._request.horizon_ms}"
        window = next(self._again.windows(where, "start_time", self._cursor.past, limit=limit), None)
        past = START
        if window:
            yield window.rows
            # A short window was the last: begin again.
            past = window.position if len(window.rows) >= min(limit, self._batch_size) else START
        self._cursor = replace(self._cursor, past=past)

    def _advance(self, leg: int, position: Position, count: int) -> None:
        self._cursor = replace(self._cursor, leg=leg, slice=position, turn_count=self._cursor.turn_count + count)

    def _turned(self) -> None:
        total = self._cursor.turn_count
        if not self._pace.is_enough(total):
            log.warning("too many runs in open periods to see all of them again within resweep runs=%d", total)
        self._cursor = replace(self._cursor, leg=0, slice=START, turn_count=0, turn_total=total)
