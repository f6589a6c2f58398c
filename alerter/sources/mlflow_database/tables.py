"""What is asked of MLflow's tables of runs, on either database; ``sqlite`` and ``postgres`` hold the statements.

Schema: ``mlflow/store/tracking/dbmodels/models.py``. The two differ in how ids are handed over, in what a walk goes by,
and in how news is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from alerter.sources.mlflow_database.connection import Rows
from alerter.sources.mlflow_database.cursor import News

BATCH: Final = 10_000
"""Runs of one statement: on SQLite it holds its lock for about a tenth of a second."""

AWAKE: Final = 50_000
NEWS_MAX: Final = 50_000
"""More rows that PostgreSQL wrote than this are not sought out one by one: everything is walked over again."""

UNFINISHED: Final = ("RUNNING", "SCHEDULED")
ENDED: Final = ("FINISHED", "FAILED", "KILLED")

RUN: Final = "r.run_uuid, r.experiment_id, r.name, r.user_id, r.status, r.start_time, r.end_time, r.lifecycle_stage"

_OWN = "c.key < 'mlflow.' OR c.key >= 'mlflow/'"
"""What people gave, where text goes by its bytes: it doesn't begin with ``mlflow.``."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What else is read of runs: these params, these of MLflow's own tags, and all that people gave.

    It is read of some experiments' runs only.
    """

    params: Sequence[str]
    tags: Sequence[str]
    experiment_ids: Sequence[int]

    @property
    def texts(self) -> dict[str, tuple[str, Sequence[str]]]:
        """The two tables with a condition on ``c.key`` each, which goes by its bytes, and the condition's values."""
        return {
            "params": (f"c.key IN {marks(self.params)}", self.params),
            "tags": (f"({_OWN} OR c.key IN {marks(self.tags)})", self.tags),
        }


class RunRow(NamedTuple):
    """A row of ``runs``; ``params`` and ``tags`` are JSON objects, empty or None where there are none or none was read.

    Most runs have theirs in common with others: one text of a run is quicker read, and known again, than its rows.
    """

    run_uuid: str
    experiment_id: int
    name: str | None
    user: str | None
    status: str | None
    start_ms: int | None
    end_ms: int | None
    stage: str | None
    params: str | None = None
    tags: str | None = None


class Page(NamedTuple):
    """Runs that lie together, and where a walk goes on; ``news`` are those up to here, where the walk itself tells."""

    rows: list[RunRow]
    following: int
    is_last: bool
    news: News | None = None


class MovedError(Exception):
    """Rows are numbered anew, or the table is another one: what was news can't be told any more."""


class Tables(Protocol):
    """What both databases can tell; ids are handed over as one value."""

    def page(self, after: int, limit: int, kept: Kept | None = None) -> Page:
        """Return the next runs, about as many, of a walk over all of them from a place on; 0 is the start."""
        ...

    def by_ids(self, run_uuids: Sequence[str], kept: Kept | None = None) -> list[RunRow]:
        """Return the runs of these ids that exist."""
        ...

    def now(self) -> News:
        """Return what news to begin with before a sweep."""
        ...

    def news(self, before: News) -> tuple[list[str], News]:
        """Return the ids of runs that are new (PostgreSQL: or changed) and what to go on with.

        Raises:
            MovedError: only a sweep can tell.
        """
        ...

    def awake(self, after: int) -> tuple[list[str], int]:
        """Return the next runs that are unfinished by their status alone, and where to go on; 0 is from the start."""
        ...

    def beats(self, run_uuids: Sequence[str]) -> Rows:
        """Return ``(run id, timestamp)`` of the newest metric of runs; 0 or nothing where none is."""
        ...

    def logged(self, keys: Sequence[str]) -> list[str]:
        """Return those of some metrics' keys that any run logged."""
        ...

    def metrics(self, run_uuids: Sequence[str], keys: Sequence[str]) -> Rows:
        """Return ``(run id, key, value, is NaN)`` of some latest metrics of runs."""
        ...

    def named(self, run_uuids: Sequence[str], keys: Sequence[str]) -> Rows:
        """Return ``(run id, key, value)`` of some tags of runs."""
        ...

    def count(self) -> int:
        """Return about how many runs there are."""
        ...

    def models_written(self) -> str:
        """Return what is another one once a LoggedModel was written; ``""`` where that can't be told."""
        ...


class Keyed:
    """What is asked of both databases in the same words, by keys."""

    _rows: Callable[..., Rows]

    def logged(self, keys: Sequence[str]) -> list[str]:
        """See `Tables`."""
        sql = "SELECT key FROM latest_metrics WHERE key = ? LIMIT 1"
        return [key for key in keys if self._rows(sql, key)]

    def metrics(self, run_uuids: Sequence[str], keys: Sequence[str]) -> Rows:
        """See `Tables`."""
        return self._some("m.run_uuid, m.key, m.value, m.is_nan", "latest_metrics", run_uuids, keys)

    def named(self, run_uuids: Sequence[str], keys: Sequence[str]) -> Rows:
        """See `Tables`."""
        return self._some("m.run_uuid, m.key, m.value", "tags", run_uuids, keys)

    def _some(self, columns: str, table: str, run_uuids: Sequence[str], keys: Sequence[str]) -> Rows:
        """Return columns of a table's rows ``m``, of these runs and keys."""
        raise NotImplementedError


def marks(values: Sequence[object]) -> str:
    """Return ``(?, ?, ...)`` for some values."""
    return f"({', '.join('?' * len(values))})"
