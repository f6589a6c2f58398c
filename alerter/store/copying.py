"""Every row of one database into another, empty one, of PostgreSQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table, select

from alerter.store.bulk import query
from alerter.store.engine import Store, StoreError

_AT_ONCE = 5_000


def copy_rows(source: Connection, target: Connection) -> dict[str, int]:
    """Copy the rows of every table of the schema, which both have, and return how many by table.

    Numbers that the target gives itself go on after the highest copied one.

    Raises:
        StoreError: the target holds another number of rows afterwards.
    """
    from sqlmodel import SQLModel  # noqa: PLC0415 - half a second that only a move pays

    from alerter.store import schema  # noqa: PLC0415 - the tables

    assert schema.MetaRow.metadata is SQLModel.metadata  # noqa: S101 - they are declared
    copied = {}
    for table in SQLModel.metadata.sorted_tables:
        copied[table.name] = _copy(source, target, table)
        there = query(target, f'SELECT COUNT(*) FROM "{table.name}"').scalar_one()
        if there != copied[table.name]:
            raise StoreError(f"{copied[table.name]} rows of {table.name} were copied, but {there} arrived")
        if table.columns.get("id") is not None:
            _go_on(target, table.name)
    return copied


def _copy(source: Connection, target: Connection, table: Table) -> int:
    columns = ", ".join(f'"{each.name}"' for each in table.columns)
    driver: Any = target.connection.driver_connection
    count = 0
    rows = source.execute(select(table).execution_options(yield_per=_AT_ONCE))
    try:
        with driver.cursor() as cursor, cursor.copy(f'COPY "{table.name}" ({columns}) FROM STDIN') as copy:
            for row in rows:
                copy.write_row(tuple(row))
                count += 1
    except target.dialect.loaded_dbapi.Error as error:
        raise StoreError(f"table {table.name} can't be copied: {str(error).splitlines()[0]}") from error
    return count


def _go_on(target: Connection, table: str) -> None:
    highest = f'(SELECT MAX(id) FROM "{table}")'
    sql = f"SELECT setval(pg_get_serial_sequence('\"{table}\"', 'id'), COALESCE({highest}, 1), {highest} IS NOT NULL)"
    query(target, sql)


def require_movable(source: Store, target: Store) -> None:
    """Check that the way is from SQLite to PostgreSQL.

    Raises:
        StoreError: it isn't.
    """
    if source.is_shared:
        raise StoreError(f"database {source.name} is PostgreSQL already: move it with pg_dump and pg_restore")
    if not target.is_shared:
        raise StoreError(f"database {target.name} is not PostgreSQL: give an URL like postgresql+psycopg://...")
