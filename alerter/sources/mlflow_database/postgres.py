"""The statements about runs for MLflow's PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import starmap
from typing import Any

from alerter.sources.mlflow_database.connection import Reading, Rows
from alerter.sources.mlflow_database.cursor import News
from alerter.sources.mlflow_database.tables import NEWS_MAX, RUN, Kept, Keyed, MovedError, Page, RunRow, marks

_SHAPE = (
    "SELECT pg_relation_size(oid) / current_setting('block_size')::bigint, reltuples / NULLIF(relpages, 0) "
    "FROM pg_class WHERE oid = 'runs'::regclass"
)
_row = partial(tuple.__new__, RunRow)
"""Make one of all its values; ``_make`` takes three times as long, and a first sync makes a million."""

_RUNS_A_BLOCK, _SPARSE, _DENSE = 32, 8, 64
"""Of a table that was never analysed, and within what its statistics are believed."""


class Postgres(Keyed):
    """MLflow's PostgreSQL, block by block.

    In the order of ids, which are random, each page would lie all over the tables: a million runs would be read a
    hundred times over. A run that moves while it is walked over was written, and so is news.
    """

    def __init__(self, reading: Reading) -> None:
        self._rows = reading.rows

    def page(self, after: int, limit: int, kept: Kept | None = None) -> Page:
        """See `Tables`."""
        ((blocks, runs_each),) = self._rows(_SHAPE)
        following = after + max(1, round(limit / min(max(runs_each or _RUNS_A_BLOCK, _SPARSE), _DENSE)))
        rows = self._read("r.ctid >= ?::tid AND r.ctid < ?::tid", kept, f"({after},0)", f"({following},0)")
        return Page(rows, following, is_last=following >= blocks)

    def by_ids(self, run_uuids: Sequence[str], kept: Kept | None = None) -> list[RunRow]:
        """See `Tables`."""
        return self._read("r.run_uuid = ANY(?::text[])", kept, list(run_uuids))

    def _read(self, which: str, kept: Kept | None, *values: object) -> list[RunRow]:
        texts, keys = _texts(kept)
        # Looked up in the order of the index, where each is near the last one; told in the order in which they began.
        # What is sorted is no column, so that nobody walks over the whole index to spare himself the sorting.
        runs = f"SELECT * FROM runs AS r WHERE {which} ORDER BY r.run_uuid || '' OFFSET 0"
        rows = self._rows(f"SELECT {RUN}{texts} FROM ({runs}) AS r ORDER BY r.start_time", *keys, *values)
        return list(map(_row, rows) if kept else starmap(RunRow, rows))

    def now(self) -> News:
        """See `Tables`."""
        written = self._written("runs")
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

    def beats(self, run_uuids: Sequence[str]) -> Rows:
        """See `Tables`."""
        newest = "SELECT MAX(m.timestamp) FROM latest_metrics AS m WHERE m.run_uuid = j.id"
        return self._rows(f"SELECT j.id, ({newest}) FROM unnest(?::text[]) AS j(id)", list(run_uuids))

    def _some(self, columns: str, table: str, run_uuids: Sequence[str], keys: Sequence[str]) -> Rows:
        sql = f"SELECT {columns} FROM {table} AS m WHERE m.run_uuid = ANY(?::text[]) AND m.key IN {marks(keys)}"
        return self._rows(sql, list(run_uuids), *keys)

    def count(self) -> int:
        """See `Tables`."""
        return max(0, int(self._rows("SELECT reltuples FROM pg_class WHERE oid = 'runs'::regclass")[0][0]))

    def models_written(self) -> str:
        """See `Tables`: how many rows of theirs ever were."""
        models = self._written("logged_models")
        return "" if models == "0" else f"{models}:{self._written('logged_model_tags')}"

    def _written(self, table: str) -> str:
        """Return how many rows of a table were ever written; ``"0"`` where nobody counts, as on a replica."""
        sql = (
            "SELECT n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables "
            "WHERE relid = ?::regclass AND NOT pg_is_in_recovery()"
        )
        found: Sequence[Any] = self._rows(sql, table)
        return str(found[0][0]) if found else "0"


def _texts(kept: Kept | None) -> tuple[str, list[object]]:
    """Return a further column each for params and tags, and the values of their marks."""
    if kept is None:
        return "", []
    columns: list[str] = []
    values: list[object] = []
    for table, (condition, keys) in kept.texts.items():
        # By bytes there is no index: it would look up each key of each run where it could walk over a run's few.
        by_bytes = condition.replace("c.key", 'c.key COLLATE "C"')
        where = f"c.run_uuid = r.run_uuid AND {by_bytes}"
        text = f"SELECT json_object_agg(c.key, c.value)::text FROM {table} AS c WHERE {where}"
        columns.append(f", CASE WHEN r.experiment_id = ANY(?::int[]) THEN ({text}) END AS {table}")
        values += [list(kept.experiment_ids), *keys]
    return "".join(columns), values
