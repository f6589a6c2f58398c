"""Many rows at once, as tuples through the driver: the hot path of recording."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection

MAX_VALUES = 999
"""Values of one statement, which every SQLite takes."""

CHUNK = 500
"""Values in one ``IN (...)``: below every driver's limit of parameters."""


def insert_rows(connection: Connection, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Execute one statement for every tuple; ``?`` marks its values on every database."""
    if rows:
        # Named tuples take the driver longer to bind than plain ones.
        connection.exec_driver_sql(_marked(connection, sql), list(map(tuple, rows)))


def append_rows(connection: Connection, table: str, columns: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows that follow each other in a table's key, many by one statement; ``columns`` is as in SQL.

    It takes half as long as one by one. Not for a table with an index in another order: within one statement SQLite
    keeps a copy of each page that it changes.
    """
    if not rows:
        return
    columns, rows = _without_nulls(columns, rows)
    into, row = f"INSERT INTO {table} ({columns}) VALUES", marks(columns)
    at_once = MAX_VALUES // len(rows[0])
    whole = len(rows) - len(rows) % at_once
    if whole:
        sql = _marked(connection, f"{into} {','.join([row] * at_once)}")
        for first in range(0, whole, at_once):
            connection.exec_driver_sql(sql, tuple(chain.from_iterable(rows[first : first + at_once])))
    insert_rows(connection, f"{into} {row}", rows[whole:])


def _without_nulls(columns: str, rows: Sequence[tuple[Any, ...]]) -> tuple[str, Sequence[tuple[Any, ...]]]:
    """Leave out what is NULL in every row at its end; ``columns`` is as in SQL.

    A None is no type that Python's SQLite binds at once: it takes ten times as long as a number.
    """
    names = columns.split(", ")
    width = len(names)
    while width > 1 and list(map(itemgetter(width - 1), rows)).count(None) == len(rows):
        width -= 1
    return ", ".join(names[:width]), rows if width == len(names) else [row[:width] for row in rows]


def marks(columns: str) -> str:
    """Return ``(?,?,...)`` for columns as in SQL."""
    return f"({','.join('?' * len(columns.split(', ')))})"


def select_in(connection: Connection, sql: str, values: Sequence[Any], *before: object) -> Iterator[Any]:
    """Yield the rows of a query that ends in ``IN (?...)``, chunk by chunk.

    ``sql`` holds ``{values}`` where the list goes; ``before`` are the parameters that stand before it.
    """
    for result in _in_chunks(connection, sql, values, before):
        yield from result


def change_in(connection: Connection, sql: str, values: Sequence[Any], *before: object) -> None:
    """Execute a statement that ends in ``IN (?...)`` and returns no rows, chunk by chunk; as in `select_in`."""
    for _ in _in_chunks(connection, sql, values, before):
        pass


def _in_chunks(connection: Connection, sql: str, values: Sequence[Any], before: tuple[object, ...]) -> Iterator[Any]:
    for start in range(0, len(values), CHUNK):
        part = values[start : start + CHUNK]
        marks = ",".join("?" * len(part))
        yield query(connection, sql.replace("{values}", f"({marks})"), *before, *part)


def query(connection: Connection, sql: str, *values: object) -> Any:
    """Execute one statement with ``?`` marks and return its ``CursorResult``."""
    return connection.exec_driver_sql(_marked(connection, sql), values)


def _marked(connection: Connection, sql: str) -> str:
    return sql if connection.dialect.paramstyle == "qmark" else sql.replace("%", "%%").replace("?", "%s")
