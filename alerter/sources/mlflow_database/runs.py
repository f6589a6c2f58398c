"""Rows of runs -> observations, with what else is kept of them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from alerter.core.usage import Pairs, RunObservation
from alerter.sources.mlflow_database.tables import BATCH, ENDED, Kept, RunRow, Tables
from alerter.sources.mlflow_rest.decoding import UNREADABLE_RUN, Decoder, Seen, left_out
from alerter.sources.mlflow_rest.observing import Content, observation

_UNNAMED = ("mlflow.runName", "mlflow.user")
_PARENT = "mlflow.parentRunId"
_REMEMBERED = 5_000

_Logged = tuple[int, str | None, str | None, str | None]
"""(experiment, user, params, tags): what runs have in common with others."""


@dataclass(slots=True)
class Read:
    """Rows of runs, and what was read of some of them, by their ids.

    Attributes:
        names: the tags that say what a run is called, where its row doesn't.
        beats: when each logged its newest metric; 0 or nothing where it never did.
        metrics: those that log a cost.
    """

    rows: Sequence[RunRow]
    names: Mapping[str, Pairs] = field(default_factory=dict)
    beats: Mapping[str, int] = field(default_factory=dict)
    metrics: Mapping[str, Pairs] = field(default_factory=dict)


class Runs:
    """The runs of the chosen experiments.

    Args:
        tables: the statements, on an open connection.
        decoder: set to the chosen experiments.
        experiment_ids: theirs.

    Attributes:
        kept: what is read of them beside their rows.
    """

    def __init__(self, tables: Tables, decoder: Decoder, experiment_ids: Collection[str]) -> None:
        self.tables = tables
        self._decoder = decoder
        self._experiment_ids = frozenset(int(each) for each in experiment_ids)
        usage = decoder.usage_keys
        of_mlflow = {_PARENT, *(key for key in usage | decoder.cost_tags.keys() if key.startswith("mlflow."))}
        self.kept = Kept(sorted(usage), sorted(of_mlflow), sorted(self._experiment_ids))
        self._metrics = tables.logged(sorted(decoder.cost_metrics))
        self._known: dict[_Logged, Content] = {}

    def chosen(self, rows: Sequence[RunRow]) -> list[RunRow]:
        """Return those of some rows that are of a chosen experiment."""
        return [row for row in rows if row.experiment_id in self._experiment_ids]

    def by_ids(self, run_uuids: Sequence[str]) -> Iterator[list[RunRow]]:
        """Yield the rows of these ids that exist in the chosen experiments."""
        for first in range(0, len(run_uuids), BATCH):
            yield self.chosen(self.tables.by_ids(run_uuids[first : first + BATCH], self.kept))

    def read(self, rows: Sequence[RunRow], *, new: bool = False) -> Read:
        """Read what else is kept of some rows of chosen experiments.

        Where they are ``new``, seen for the first time, what has an end is charged by that alone: of its metrics no
        sign of life is looked up.
        """
        read = Read(rows)
        # Every run has these tags, but only those of old clients say there alone what they are called.
        unnamed = [row.run_uuid for row in rows if not row.name or not row.user]
        if unnamed:
            read.names = _gathered(self.tables.named(unnamed, _UNNAMED))
        asked = [row.run_uuid for row in rows if not (new and row.status in ENDED and row.end_ms)]
        if asked:
            read.beats = dict(self.tables.beats(asked))
        if self._metrics and rows:
            found = self.tables.metrics([row.run_uuid for row in rows], self._metrics)
            read.metrics = _gathered(
                (run, key, "NaN" if is_nan else str(float(value))) for run, key, value, is_nan in found
            )
        return read

    def observe(self, read: Read, now_ms: int) -> list[RunObservation]:
        """Return the observations of what was read; one that can't be used at all is logged and left out."""
        runs, known = [], self._known
        for run_uuid, experiment_id, name, user, status, start, end, stage, params, tags in read.rows:
            logged = (experiment_id, user, params, tags)
            try:
                content = known.get(logged)
                if content is None or run_uuid in read.names or run_uuid in read.metrics:
                    content = self._content(logged, read.names.get(run_uuid, ()), read.metrics.get(run_uuid, ()))
                facts = (run_uuid, name, status, start, end, stage == "deleted")
                runs.append(observation(content, facts, now_ms, read.beats.get(run_uuid)))
            except UNREADABLE_RUN as error:
                left_out(run_uuid, error)
        return runs

    def _content(self, logged: _Logged, names: Pairs, metrics: Pairs) -> Content:
        experiment_id, user, params, tags = logged
        seen = Seen("", str(experiment_id), None, user, None, None, None, deleted=False)
        seen.params, seen.tags, seen.metrics = _pairs(params), _pairs(tags) + names, list(metrics)
        content = self._decoder.content(seen)
        if not names and not metrics:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[logged] = content
        return content


def _pairs(text: str | None) -> Pairs:
    return tuple((key, value or "") for key, value in json.loads(text).items()) if text else ()


def _gathered(rows: Iterable[tuple[str, str, str]]) -> dict[str, Pairs]:
    """Return the pairs of each run."""
    found: dict[str, Pairs] = {}
    for run_uuid, key, value in rows:
        found[run_uuid] = (*found.get(run_uuid, ()), (key, value or ""))
    return found
