"""A poll: the first sync, or what is new, changed or running and a bounded part of the rest (the package tells why)."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from alerter.core.ports import Batch, PollRequest
from alerter.core.usage import RunObservation
from alerter.sources.mlflow_database.cursor import NOT_BEGUN, Cursor, News
from alerter.sources.mlflow_database.runs import Read, Runs
from alerter.sources.mlflow_database.tables import UNFINISHED, MovedError, Page, RunRow
from alerter.sources.mlflow_rest.walk import one_ahead

log = logging.getLogger(__name__)

SLICE = 1_000
SLICE_MAX = 10_000
RESERVE = 1.1


@dataclass(frozen=True, slots=True)
class Turn:
    """How often a source is polled, and by when all of it is seen again; in seconds."""

    poll_every_s: float
    resweep_s: float

    def slice_size(self, runs: int) -> int:
        """Return how many runs to walk over in one poll."""
        polls = max(self.resweep_s / self.poll_every_s, 1)
        return min(max(SLICE, math.ceil(RESERVE * runs / polls)), SLICE_MAX)

    def is_enough(self, runs: int) -> bool:
        """Whether so many runs come round within ``resweep_s`` although a slice is bounded."""
        return runs * self.poll_every_s <= SLICE_MAX * self.resweep_s


class Poll:
    """One poll of a database.

    Args:
        runs: the chosen experiments' runs.
        cursor: where the last batch left it.
        request: what to poll for.
        turn: how the bounded part is sized.
        batch: runs of one statement and of one batch.
    """

    def __init__(self, runs: Runs, cursor: Cursor, request: PollRequest, turn: Turn, *, batch: int) -> None:
        self._runs = runs
        self._tables = runs.tables
        self._cursor = cursor
        self._request = request
        self._turn = turn
        self._batch = batch
        self._seen: set[str] = set()

    def batches(self) -> Iterator[Batch]:
        """Yield what `RunSource.poll` promises."""
        if self._cursor.sweep == NOT_BEGUN:
            yield from self._sweep()
            return
        try:
            ids, news = self._tables.news(self._cursor.news)
        except MovedError:
            log.info("runs are numbered anew in MLflow's database, sweeping everything again")
            self._cursor = Cursor(self._cursor.settings, swept=self._cursor.swept)
            yield from self._sweep()
            return
        if self._cursor.sweep is not None:
            yield from self._sweep()
        else:
            yield from self._refresh(ids, news)

    def _sweep(self) -> Iterator[Batch]:
        """Yield every run from the cursor's place on, then what became of open runs that were not among them."""
        missing = set(self._request.open_runs)
        cursor = self._cursor
        if cursor.sweep == NOT_BEGUN:
            # What is written while the sweep goes on is news for the first poll after it.
            cursor = replace(cursor, news=self._tables.now(), sweep=0)
        expected = self._tables.count()
        # The next ones are read while the consumer records these.
        for page, read in one_ahead(self._walk(cursor.sweep or 0), waits=True):
            seen = self._runs.observe(read, self._request.now_ms)
            if missing:
                missing.difference_update(run.run_uuid for run in seen)
            count = cursor.sweep_count + len(page.rows)
            cursor = replace(cursor, sweep=page.following, sweep_count=count, news=page.news or cursor.news)
            yield Batch(seen, cursor.text(), swept=cursor.swept, expected=max(expected, count))
        found = [run for rows in self._runs.by_ids(sorted(missing)) for run in self._observe(rows)]
        done = replace(cursor, swept=True, sweep=None, sweep_count=0, turn_total=cursor.sweep_count)
        gone = tuple(sorted(missing.difference(run.run_uuid for run in found)))
        yield Batch(found, done.text(), swept=True, gone=gone, expected=cursor.sweep_count)

    def _walk(self, after: int) -> Iterator[tuple[Page, Read]]:
        # A small one first: what waits for it is soon at work.
        is_last, size = False, max(1, self._batch // 4)
        while not is_last:
            page = self._tables.page(after, size, self._runs.kept)
            size = self._batch
            after, is_last = page.following, page.is_last
            if page.rows:
                yield page, self._runs.read(self._runs.chosen(page.rows), new=not self._cursor.swept)

    def _refresh(self, ids: Sequence[str], news: News) -> Iterator[Batch]:
        """Yield a later poll's runs; only the last batch moves the cursor: one that breaks off is repeated whole."""
        before = self._cursor.text()
        self._cursor = replace(self._cursor, news=news)
        waiting: list[RunRow] = []
        for rows in self._steps(ids):
            waiting += [row for row in rows if row.run_uuid not in self._seen]
            self._seen.update(row.run_uuid for row in rows)
            while len(waiting) > self._batch:
                yield Batch(self._observe(waiting[: self._batch]), before, swept=True)
                waiting = waiting[self._batch :]
        gone = tuple(sorted(self._request.open_runs - self._seen))
        yield Batch(self._observe(waiting), self._cursor.text(), swept=True, gone=gone)

    def _steps(self, ids: Sequence[str]) -> Iterator[list[RunRow]]:
        yield from self._runs.by_ids(ids)
        yield from self._runs.by_ids(sorted(self._request.open_runs - self._seen))
        awake, following = self._tables.awake(self._cursor.awake)
        self._cursor = replace(self._cursor, awake=following)
        yield from self._runs.by_ids([each for each in awake if each not in self._seen])
        yield from self._slice()

    def _slice(self) -> Iterator[list[RunRow]]:
        """Walk on in turn over all runs; yield those that touch an open period."""
        cursor = self._cursor
        left = self._turn.slice_size(max(cursor.turn_total, cursor.turn_count))
        while left > 0:
            size = min(left, self._batch)
            page = self._tables.page(cursor.turn, size)
            left -= size
            yield from self._runs.by_ids([row.run_uuid for row in self._runs.chosen(page.rows) if self._touches(row)])
            cursor = replace(cursor, turn_count=cursor.turn_count + len(page.rows))
            if page.is_last:
                if not self._turn.is_enough(cursor.turn_count):
                    log.warning("too many runs to see all of them again within resweep runs=%d", cursor.turn_count)
                cursor = replace(cursor, turn=0, turn_count=0, turn_total=cursor.turn_count)
                break
            cursor = replace(cursor, turn=page.following)
        self._cursor = cursor

    def _touches(self, row: RunRow) -> bool:
        horizon = self._request.horizon_ms
        is_open = row.status in UNFINISHED and row.stage != "deleted"
        return is_open or (row.start_ms or 0) >= horizon or (row.end_ms or 0) >= horizon

    def _observe(self, rows: Sequence[RunRow]) -> list[RunObservation]:
        return self._runs.observe(self._runs.read(rows), self._request.now_ms)
