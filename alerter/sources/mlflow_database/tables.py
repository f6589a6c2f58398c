"""Every statement about runs that is sent to MLflow's database, and nothing else.

Schema: ``mlflow/store/tracking/dbmodels/models.py``. `Sqlite` and `Postgres` differ in how ids are handed over, in what
a walk goes by, and in how news is known.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

from alerter.sources.mlflow_database.connection import Reading, Rows
from alerter.sources.mlflow_database.cursor import News

BATCH: Final = 10_000
"""Runs of one statement: on SQLite it holds its lock for some tens of milliseconds."""

AWAKE: Final = 50_000
NEWS_MAX: Final = 50_000
"""More rows that PostgreSQL wrote than this are not sought out one by one: everything is walked over again."""

UNFINISHED: Final = ("RUNNING", "SCHEDULED")
ENDED: Final = ("FINISHED", "FAILED", "KILLED")

_SHAPE = (
    "SELECT pg_relation_size(oid) / current_setting('block_size')::bigint, reltuples / NULLIF(relpages, 0) "
    "FROM pg_class WHERE oid = 'runs'::regclass"
)
_RUNS_A_BLOCK, _SPARSE, _DENSE = 32, 8, 64
"""Of a table that was never analysed, and within what its statistics are believed."""

_RUN = "r.run_uuid, r.experiment_id, r.name, r.user_id, r.status, r.start_time, r.end_time, r.lifecycle_stage"


class RunRow(NamedTuple):
    """A row of ``runs``."""

    run_uuid: str
    experiment_id: int
    name: str | None
    user: str | None
    status: str | None
    start_ms: int | None
    end_ms: int | None
    stage: str | None


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

    def page(self, after: int, limit: int) -> Page:
        """Return the next runs, about as many, of a walk over all of them from a place on; 0 is the start."""
        ...

    def by_ids(self, run_uuids: Sequence[str]) -> list[RunRow]:
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

    def texts(self, table: str, run_uuids: Sequence[str], condition: str, *values: object) -> Rows:
        """Return ``(number, JSON object)`` of params or tags of runs, numbered from 0, by a condition on ``c.key``.

        Most runs have theirs in common with others: one text of a run is quicker read, and known again, than its rows.
        """
        ...

    def beats(self, run_uuids: Sequence[str]) -> Rows:
        """Return ``(number, timestamp)`` of the newest metric of runs, numbered from 0; 0 or nothing where none is."""
        ...

    def metrics(self, run_uuids: Sequence[str], keys: Sequence[str]) -> Rows:
        """Return ``(number, key, value, is NaN)`` of some latest metrics of runs, numbered from 0."""
        ...

    def count(self) -> int:
        """Return about how many runs there are."""
        ...


def tables_of(reading: Reading) -> Tables:
    """Return the statements for a connection."""
    return Postgres(reading) if reading.is_postgres else Sqlite(reading)


def marks(values: Sequence[object]) -> str:
    """Return ``(?, ?, ...)`` for some values."""
    return f"({', '.join('?' * len(values))})"


class Sqlite:
    """MLflow's SQLite, by ``rowid``.

    What is read much of comes as one row of text: between two rows the driver waits for Python's lock, and reading
    could not go on while others of our threads work. JSON escapes what would end a line.
    """

    _ids = "json_each(?) AS j"

    def __init__(self, reading: Reading) -> None:
        self._rows = reading.rows

    def page(self, after: int, limit: int) -> Page:
        """See `Tables`."""
        some = f"SELECT r.rowid AS id, json_array({_RUN}) AS t FROM runs AS r WHERE r.rowid > ? ORDER BY id LIMIT ?"
        ((text, last),) = self._rows(f"SELECT group_concat(t, ','), MAX(id) FROM ({some})", after, limit)
        if last is None:
            return Page([], after, is_last=True)
        rows = list(map(RunRow._make, json.loads(f"[{text}]")))
        return Page(rows, last, len(rows) < limit, News(last, rows[-1].run_uuid))

    def by_ids(self, run_uuids: Sequence[str]) -> list[RunRow]:
        """See `Tables`."""
        sql = f"SELECT {_RUN} FROM {self._ids} CROSS JOIN runs AS r ON r.run_uuid = j.value"
        return list(map(RunRow._make, self._rows(sql, json.dumps(run_uuids))))

    def now(self) -> News:
        """See `Tables`: the sweep itself tells."""
        return News()

    def news(self, before: News) -> tuple[list[str], News]:
        """See `Tables`."""
        if before.key and self._rows("SELECT run_uuid FROM runs WHERE rowid = ?", before.key) != [(before.mark,)]:
            raise MovedError
        sql = "SELECT rowid, run_uuid FROM runs WHERE rowid > ? ORDER BY rowid LIMIT ?"
        found: list[str] = []
        while rows := self._rows(sql, before.key, BATCH):
            found += [row[1] for row in rows]
            before = News(*rows[-1])
        return found, before

    def awake(self, after: int) -> tuple[list[str], int]:
        """See `Tables`."""
        sql = (
            "SELECT run_uuid FROM runs WHERE rowid > ? AND rowid <= ? "
            f"AND status IN {marks(UNFINISHED)} AND lifecycle_stage = 'active'"
        )
        rows = self._rows(sql, after, after + AWAKE, *UNFINISHED)
        following = after + AWAKE
        return [row[0] for row in rows], following if following < self.count() else 0

    def texts(self, table: str, run_uuids: Sequence[str], condition: str, *values: object) -> Rows:
        """See `Tables`."""
        # The sign keeps SQLite from looking up every key of every run where it could walk over a run's few.
        condition = condition.replace("c.key", "+c.key")
        sql = f"SELECT json_group_object(c.key, c.value) FROM {table} AS c WHERE c.run_uuid = j.value AND {condition}"
        each = f"SELECT ({sql}) AS t FROM {self._ids}"
        ((text,),) = self._rows(f"SELECT group_concat(t, char(10)) FROM ({each})", *values, json.dumps(run_uuids))
        return list(enumerate(str(text).split("\n")))

    def beats(self, run_uuids: Sequence[str]) -> Rows:
        """See `Tables`."""
        newest = "SELECT MAX(timestamp) FROM latest_metrics WHERE run_uuid = j.value"
        each = f"SELECT COALESCE(({newest}), 0) AS t FROM {self._ids}"
        ((text,),) = self._rows(f"SELECT group_concat(t) FROM ({each})", json.dumps(run_uuids))
        return list(enumerate(map(int, str(text).split(","))))

    def metrics(self, run_uuids: Sequence[str], keys: Sequence[str]) -> Rows:
        """See `Tables`."""
        sql = (
            f"SELECT j.key, m.key, m.value, m.is_nan FROM {self._ids} "
            f"CROSS JOIN latest_metrics AS m ON m.run_uuid = j.value AND m.key IN {marks(keys)}"
        )
        return self._rows(sql, json.dumps(run_uuids), *keys)

    def count(self) -> int:
        """See `Tables`."""
        return int(self._rows("SELECT MAX(rowid) FROM runs")[0][0] or 0)


class Postgres:
    """MLflow's PostgreSQL, block by block.

    In the order of ids, which are random, each page would lie all over the tables: a million runs would be read a
    hundred times over. A run that moves while it is walked over was written, and so is news.
    """

    def __init__(self, reading: Reading) -> None:
        self._rows = reading.rows

    def page(self, after: int, limit: int) -> Page:
        """See `Tables`."""
        ((blocks, runs_each),) = self._rows(_SHAPE)
        following = after + max(1, round(limit / min(max(runs_each or _RUNS_A_BLOCK, _SPARSE), _DENSE)))
        sql = f"SELECT {_RUN} FROM runs AS r WHERE r.ctid >= ?::tid AND r.ctid < ?::tid"
        rows = self._rows(sql, f"({after},0)", f"({following},0)")
        return Page(list(map(RunRow._make, rows)), following, is_last=following >= blocks)

    def by_ids(self, run_uuids: Sequence[str]) -> list[RunRow]:
        """See `Tables`."""
        sql = f"SELECT {_RUN} FROM runs AS r WHERE r.run_uuid = ANY(?::text[])"
        return list(map(RunRow._make, self._rows(sql, list(run_uuids))))

    def now(self) -> News:
        """See `Tables`."""
        written = "0" if self._is_replica() else self._written()
        sql = (
            "SELECT pg_snapshot_xmin(pg_current_snapshot())::text, "
            "current_database() || ':' || 'runs'::regclass::oid::text || ':' || pg_relation_filenode('runs')::text"
        )
        ((transaction, table),) = self._rows(sql)
        return News(int(transaction), table, written)

    def news(self, before: News) -> tuple[list[str], News]:
        """See `Tables`."""
        now = self.now()
        # Ids of transactions are of 32 bits in a row: comparing them by age goes wrong once half of them are used up.
        if now.mark != before.mark or not 0 <= now.key - before.key < 2**31:
            raise MovedError
        if now.written == before.written and now.written != "0":
            return [], before
        sql = "SELECT run_uuid FROM runs WHERE age(xmin) <= age(?::text::xid) LIMIT ?"
        rows = self._rows(sql, str(before.key % 2**32), NEWS_MAX + 1)
        if len(rows) > NEWS_MAX:
            raise MovedError
        return [row[0] for row in rows], now

    def awake(self, after: int) -> tuple[list[str], int]:
        """See `Tables`: a run that runs again is a row that was written, and so among the news."""
        return [], after

    def texts(self, table: str, run_uuids: Sequence[str], condition: str, *values: object) -> Rows:
        """See `Tables`."""
        return self._each(f"json_object_agg(c.key, c.value)::text FROM {table}", run_uuids, condition, *values)

    def beats(self, run_uuids: Sequence[str]) -> Rows:
        """See `Tables`."""
        return self._each("MAX(c.timestamp) FROM latest_metrics", run_uuids, "TRUE")

    def _each(self, what: str, run_uuids: Sequence[str], condition: str, *values: object) -> Rows:
        """Return ``(number, what)`` of runs, out of a table's rows ``c``."""
        sql = f"SELECT c.run_uuid, {what} AS c WHERE c.run_uuid = ANY(?::text[]) AND {condition} GROUP BY c.run_uuid"
        numbers = {run_uuid: number for number, run_uuid in enumerate(run_uuids)}
        return [(numbers[run_uuid], found) for run_uuid, found in self._rows(sql, list(run_uuids), *values)]

    def metrics(self, run_uuids: Sequence[str], keys: Sequence[str]) -> Rows:
        """See `Tables`."""
        sql = (
            "SELECT j.key - 1, m.key, m.value, m.is_nan FROM unnest(?::text[]) WITH ORDINALITY AS j(value, key) "
            f"JOIN latest_metrics AS m ON m.run_uuid = j.value AND m.key IN {marks(keys)}"
        )
        return self._rows(sql, list(run_uuids), *keys)

    def count(self) -> int:
        """See `Tables`."""
        return max(0, int(self._rows("SELECT reltuples FROM pg_class WHERE oid = 'runs'::regclass")[0][0]))

    def _is_replica(self) -> bool:
        """Whether the statistics are a replica's, which count nothing."""
        return bool(self._rows("SELECT pg_is_in_recovery()")[0][0])

    def _written(self) -> str:
        sql = "SELECT n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables WHERE relid = 'runs'::regclass"
        found: Sequence[Any] = self._rows(sql)
        return str(found[0][0]) if found else "0"
