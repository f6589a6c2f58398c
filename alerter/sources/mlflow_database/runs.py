"""Rows of runs -> observations, with what else is kept of them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence

from alerter.core.usage import Pairs, RunObservation
from alerter.sources.mlflow_database.tables import BATCH, RunRow, Some, Tables, marks
from alerter.sources.mlflow_rest.decoding import Decoder, Seen

_OWN = "substr(c.key, 1, 7) <> 'mlflow.'"
_UNNAMED = ("mlflow.runName", "mlflow.user")
_PARENT = "mlflow.parentRunId"
_REMEMBERED = 5_000


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

    def observe(self, rows: Sequence[RunRow], now_ms: int, page: Sequence[RunRow] = ()) -> list[RunObservation]:
        """Return the observations of at most `BATCH` rows; one that can't be used at all is logged and left out.

        ``page`` is what they were chosen from, where that lies together in the database.
        """
        if not rows:
            return []
        span = (page[0].run_uuid, page[-1].run_uuid) if 0 < len(page) < 2 * len(rows) else None
        some = Some([row.run_uuid for row in rows], span)
        runs = [_seen(row) for row in rows]
        self._read_params(some, runs)
        self._read_tags(some, runs)
        for number, at_ms in self.tables.beats(some):
            runs[number].last_metric_ms = at_ms
        if self._metrics:
            for number, key, value, is_nan in self.tables.metrics(some.ids, self._metrics):
                runs[number].metrics.append((key, "NaN" if is_nan else str(float(value))))
        return self._decoder.observe(runs, now_ms)

    def _read_params(self, some: Some, runs: Sequence[Seen]) -> None:
        condition = f"c.key IN {marks(self._params)}"
        for number, text in self.tables.texts("params", some, condition, *self._params):
            runs[number].params = self._pairs(text)

    def _read_tags(self, some: Some, runs: Sequence[Seen]) -> None:
        condition = f"({_OWN} OR c.key IN {marks(self._tags)})"
        for number, text in self.tables.texts("tags", some, condition, *self._tags):
            runs[number].tags = self._pairs(text)
        # Every run has these tags, but only those of old clients say there alone what they are called.
        unnamed = [number for number, run in enumerate(runs) if not run.name or not run.user]
        if unnamed:
            older = Some([some.ids[number] for number in unnamed])
            for index, text in self.tables.texts("tags", older, f"c.key IN {marks(_UNNAMED)}", *_UNNAMED):
                runs[unnamed[index]].tags += self._pairs(text)

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
