"""Rows of runs -> observations, with what else is kept of them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from alerter.core.usage import Pairs, RunObservation
from alerter.sources.mlflow_database.connection import Rows
from alerter.sources.mlflow_database.tables import BATCH, ENDED, RunRow, Tables, marks
from alerter.sources.mlflow_rest.decoding import Decoder, Seen

_OWN = "substr(c.key, 1, 7) <> 'mlflow.'"
_UNNAMED = ("mlflow.runName", "mlflow.user")
_PARENT = "mlflow.parentRunId"
_REMEMBERED = 5_000


@dataclass(slots=True)
class Read:
    """Rows of runs, and what was read of them by their numbers.

    Attributes:
        params, tags: their JSON texts.
        names: that of the tags that say what a run is called, where its row doesn't.
        beats: when each logged its newest metric.
        metrics: those that log a cost.
    """

    rows: Sequence[RunRow]
    params: Rows = ()
    tags: Rows = ()
    names: Rows = ()
    beats: Rows = ()
    metrics: Rows = ()


class Runs:
    """The runs of the chosen experiments.

    Args:
        tables: the statements, on an open connection.
        decoder: set to the chosen experiments.
        experiment_ids: theirs.
    """

    def __init__(self, tables: Tables, decoder: Decoder, experiment_ids: Collection[str]) -> None:
        self.tables = tables
        self._decoder = decoder
        self._experiment_ids = frozenset(int(each) for each in experiment_ids)
        self._params = sorted(decoder.usage_keys)
        kept = decoder.usage_keys | decoder.cost_tags.keys()
        self._tags = sorted({_PARENT, *(key for key in kept if key.startswith("mlflow."))})
        self._metrics = sorted(decoder.cost_metrics)
        self._known: dict[str, Pairs] = {}

    def chosen(self, rows: Sequence[RunRow]) -> list[RunRow]:
        """Return those of some rows that are of a chosen experiment."""
        return [row for row in rows if row.experiment_id in self._experiment_ids]

    def by_ids(self, run_uuids: Sequence[str]) -> Iterator[list[RunRow]]:
        """Yield the rows of these ids that exist in the chosen experiments."""
        for first in range(0, len(run_uuids), BATCH):
            yield self.chosen(self.tables.by_ids(run_uuids[first : first + BATCH]))

    def read(self, rows: Sequence[RunRow], *, new: bool = False) -> Read:
        """Read what else is kept of some rows of chosen experiments.

        Where they are ``new``, seen for the first time, what has ended is charged by its end alone: of its metrics no
        sign of life is looked up.
        """
        read, ids = Read(rows), [row.run_uuid for row in rows]
        if not rows:
            return read
        texts = self.tables.texts
        read.params = texts("params", ids, f"c.key IN {marks(self._params)}", *self._params)
        read.tags = texts("tags", ids, f"({_OWN} OR c.key IN {marks(self._tags)})", *self._tags)
        # Every run has these tags, but only those of old clients say there alone what they are called.
        unnamed = [number for number, row in enumerate(rows) if not row.name or not row.user]
        if unnamed:
            found = texts("tags", [ids[number] for number in unnamed], f"c.key IN {marks(_UNNAMED)}", *_UNNAMED)
            read.names = [(unnamed[number], text) for number, text in found]
        asked = [number for number, row in enumerate(rows) if not (new and row.status in ENDED)]
        if asked:
            beats = self.tables.beats([ids[number] for number in asked])
            read.beats = [(asked[number], at_ms) for number, at_ms in beats]
        if self._metrics:
            read.metrics = self.tables.metrics(ids, self._metrics)
        return read

    def observe(self, read: Read, now_ms: int) -> list[RunObservation]:
        """Return the observations of what was read; one that can't be used at all is logged and left out."""
        runs = [_seen(row) for row in read.rows]
        for number, text in read.params:
            runs[number].params = self._pairs(text)
        for number, text in read.tags:
            runs[number].tags = self._pairs(text)
        for number, text in read.names:
            runs[number].tags += self._pairs(text)
        for number, at_ms in read.beats:
            runs[number].last_metric_ms = at_ms
        for number, key, value, is_nan in read.metrics:
            runs[number].metrics.append((key, "NaN" if is_nan else str(float(value))))
        return self._decoder.observe(runs, now_ms)

    def _pairs(self, text: str) -> Pairs:
        found = self._known.get(text)
        if found is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            found = self._known[text] = tuple((key, value or "") for key, value in json.loads(text).items())
        return found


def _seen(row: RunRow) -> Seen:
    return Seen(
        row.run_uuid,
        str(row.experiment_id),
        row.name,
        row.user,
        row.status,
        row.start_ms,
        row.end_ms,
        row.stage == "deleted",
    )
