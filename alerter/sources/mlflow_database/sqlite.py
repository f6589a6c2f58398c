"""The statements about runs for MLflow's SQLite."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from alerter.sources.mlflow_database.connection import Reading, Rows
from alerter.sources.mlflow_database.cursor import News
from alerter.sources.mlflow_database.tables import (
    AWAKE,
    BATCH,
    RUN,
    UNFINISHED,
    Kept,
    Keyed,
    MovedError,
    Page,
    RunRow,
    marks,
)

_TICK_NS: Final = 2_000_000_000
"""Within so long a file may be written twice without another time."""

_READ: Final = "group_concat(run, ','), group_concat(params, char(10)), group_concat(tags, char(10)), MAX(id)"


class Sqlite(Keyed):
    """MLflow's SQLite, by ``rowid``.

    What is read much of comes as one row of text: between two rows the driver waits for Python's lock, and reading
    could not go on while others of our threads work. JSON escapes what would end a line.
    """

    _ids = "json_each(?) AS j"

    def __init__(self, reading: Reading) -> None:
        self._rows = reading.rows

    def page(self, after: int, limit: int, kept: Kept | None = None) -> Page:
        """See `Tables`."""
        rows, last = self._read("FROM runs AS r WHERE r.rowid > ? ORDER BY r.rowid LIMIT ?", kept, after, limit)
        if last is None:
            return Page([], after, is_last=True)
        return Page(rows, last, len(rows) < limit, News(last, rows[-1].run_uuid))

    def by_ids(self, run_uuids: Sequence[str], kept: Kept | None = None) -> list[RunRow]:
        """See `Tables`."""
        which = f"FROM {self._ids} CROSS JOIN runs AS r ON r.run_uuid = j.value"
        return self._read(which, kept, json.dumps(run_uuids))[0]

    def _read(self, which: str, kept: Kept | None, *values: object) -> tuple[list[RunRow], int | None]:
        """Return some runs and the last one's ``rowid``."""
        texts, keys = _texts(kept)
        each = f"SELECT r.rowid AS id, json_array({RUN}) AS run, {texts} {which}"
        ((runs, params, tags, last),) = self._rows(f"SELECT {_READ} FROM ({each})", *keys, *values)
        if last is None:
            return [], None
        read = zip(json.loads(f"[{runs}]"), params.split("\n"), tags.split("\n"), strict=True)
        return [RunRow(*run, *texts) for run, *texts in read], last

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

    def beats(self, run_uuids: Sequence[str]) -> Rows:
        """See `Tables`."""
        newest = "SELECT MAX(timestamp) FROM latest_metrics WHERE run_uuid = j.value"
        each = f"SELECT COALESCE(({newest}), 0) AS t FROM {self._ids}"
        ((text,),) = self._rows(f"SELECT group_concat(t) FROM ({each})", json.dumps(run_uuids))
        return list(zip(run_uuids, map(int, str(text).split(",")), strict=True))

    def _some(self, columns: str, table: str, run_uuids: Sequence[str], keys: Sequence[str]) -> Rows:
        on = f"m.run_uuid = j.value AND m.key IN {marks(keys)}"
        sql = f"SELECT {columns} FROM {self._ids} CROSS JOIN {table} AS m ON {on}"
        return self._rows(sql, json.dumps(run_uuids), *keys)

    def count(self) -> int:
        """See `Tables`."""
        return int(self._rows("SELECT MAX(rowid) FROM runs")[0][0] or 0)

    def models_written(self) -> str:
        """See `Tables`: when anything was written to the database's files, unless that is just now."""
        ((_, _, path),) = self._rows("SELECT * FROM pragma_database_list WHERE name = 'main'")
        files = [each.stat() for each in map(Path, (path, f"{path}-wal")) if each.exists()]
        newest = max((each.st_mtime_ns for each in files), default=0)
        if not newest or time.time_ns() - newest < _TICK_NS:
            return ""
        return f"{newest}:{[each.st_size for each in files]}"


def _texts(kept: Kept | None) -> tuple[str, list[object]]:
    """Return a column each for params and tags, and the values of their marks."""
    if kept is None:
        return "'' AS params, '' AS tags", []
    columns: list[str] = []
    values: list[object] = []
    chosen = json.dumps(kept.experiment_ids)
    for table, (condition, keys) in kept.texts.items():
        # The sign keeps SQLite from looking up every key of every run where it could walk over a run's few.
        where = f"c.run_uuid = r.run_uuid AND {condition.replace('c.key', '+c.key')}"
        text = f"SELECT json_group_object(c.key, c.value) FROM {table} AS c WHERE {where}"
        is_chosen = "r.experiment_id IN (SELECT value FROM json_each(?))"
        columns.append(f"CASE WHEN {is_chosen} THEN ({text}) ELSE '' END AS {table}")
        values += [chosen, *keys]
    return ", ".join(columns), values
