"""Bring a database to the schema that this program knows, all of it or nothing.

Alembic runs inside one transaction that was begun here: a process that is killed half-way leaves the database as it
was, on SQLite too, where Alembic by itself would not (the driver commits before DDL unless BEGIN is explicit).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DBAPIError

from alerter.store.bulk import query
from alerter.store.engine import Store, StoreError

REVISIONS = tuple(f"{number:04}" for number in range(1, 16))
"""Every revision in `migrations/versions`, oldest first. Kept here because importing Alembic takes 0.2 s."""

HEAD = REVISIONS[-1]
"""The schema that this program works with."""

SchemaState = Literal["empty", "current", "behind", "newer", "foreign"]

_OURS = frozenset({"charge", "daily", "notification"})
_HALF = ("already exists", "duplicate column", "no such", "does not exist")
"""What a database says of a migration that somebody else began, or undid in part."""

_SCRIPTS = Path(__file__).parent / "migrations"
_LOCK = 7_221_093_851
"""PostgreSQL's advisory lock that two migrations at once compete for; any number that nobody else uses."""


def schema_state(store: Store) -> SchemaState:
    """Return how the database's schema compares with the program's; creates no file and imports no Alembic.

    ``empty`` has no table, ``behind`` an earlier revision of ours, ``newer`` a later one, ``foreign`` other tables.

    Raises:
        StoreError: the database can't be read.
    """
    if store.is_missing():
        return "empty"
    with store.read() as connection:
        return _state(connection)


def migrate(store: Store) -> list[str]:
    """Bring the database to `HEAD` in one transaction and return the revisions that were applied, oldest first.

    Processes that start at once take turns: the second finds nothing to do.

    Raises:
        StoreError: the schema is newer than the program, or not ours, or can't be written; nothing was changed.
    """
    if require_known(store) == "current":
        return []
    with store.write() as connection:
        return build(store, connection)


def build(store: Store, connection: Connection) -> list[str]:
    """Bring a database to `HEAD` within a transaction and return the revisions that were applied, oldest first.

    Raises:
        StoreError: as `migrate`; the transaction must be rolled back.
    """
    if store.is_shared:
        query(connection, "SELECT pg_advisory_xact_lock(?)", _LOCK)
    before = _revision(connection)
    _refuse(store, _state(connection))
    if before == HEAD:
        return []
    try:
        _upgrade(connection)
    except DBAPIError as error:
        if any(sign in str(error.orig) for sign in _HALF):
            raise _half_migrated(store, f"{str(error.orig).splitlines()[0]} on the way from {before}") from error
        raise
    if store.is_shared:  # who polls with an earlier program is refused from now on, see `alerter.store.lease`
        query(connection, "UPDATE lease SET holder = '', epoch = epoch + 1, until_ms = 0")
    if (after := _revision(connection)) != HEAD:
        raise StoreError(f"database {store.name}: the migration ended at {after}, not {HEAD}; nothing was changed")
    return list(REVISIONS[REVISIONS.index(before) + 1 :] if before else REVISIONS)


def require_whole(store: Store) -> None:
    """Check that every table and column of the schema is there.

    Raises:
        StoreError: one is missing, although the database says that it has been migrated.
    """
    from sqlmodel import SQLModel  # noqa: PLC0415 - half a second that only the command pays

    from alerter.store import schema  # noqa: PLC0415 - the tables

    wanted = {table.name: {each.name for each in table.columns} for table in SQLModel.metadata.sorted_tables}
    assert schema.MetaRow.__tablename__ in wanted  # noqa: S101 - they are declared
    with store.read() as connection:
        looked = inspect(connection)
        there = {name: {each["name"] for each in looked.get_columns(name)} for name in looked.get_table_names()}
    for name, columns in sorted(wanted.items()):
        if missing := sorted(columns - there.get(name, set())):
            raise _half_migrated(store, f"{name} has no {', '.join(missing)}" if name in there else f"no {name}")


def _half_migrated(store: Store, what: str) -> StoreError:
    return StoreError(
        f"database {store.name} is half-migrated ({what}); nothing was changed: "
        "restore the back-up made before, or begin with an empty database"
    )


def require_known(store: Store) -> SchemaState:
    """Return the schema's state if it is empty, behind or current.

    Raises:
        StoreError: it is newer than the program or not ours; the message says what to do.
    """
    state = schema_state(store)
    _refuse(store, state)
    return state


def require_current(store: Store, connection: Connection) -> None:
    """Check, within a transaction, that the schema is still this program's: another process may have migrated it.

    Raises:
        StoreError: it is not.
    """
    if (revision := _revision(connection, {"alembic_version"})) != HEAD:
        raise StoreError(
            f"database {store.name} was brought to schema {revision}, and this alerter knows {HEAD}: "
            "restart it with the version that did so"
        )


def _refuse(store: Store, state: SchemaState) -> None:
    if state == "newer":
        raise StoreError(
            f"database {store.name} was written by a newer alerter (this one knows schema {HEAD}); "
            "nothing was changed: install that version again, or restore the back-up made before it"
        )
    if state == "foreign":
        raise StoreError(
            f"database {store.name} holds another program's tables; nothing was changed: "
            "set `database:` in alerter.yaml to a database of its own"
        )


def _state(connection: Connection) -> SchemaState:
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return "empty"
    revision = _revision(connection, tables)
    if revision is None:
        return "foreign" if tables - {"alembic_version"} else "empty"
    if revision == HEAD:
        return "current"
    if revision in REVISIONS:
        return "behind"
    return "newer" if tables >= _OURS else "foreign"


def _revision(connection: Connection, tables: set[str] | None = None) -> str | None:
    known = tables if tables is not None else set(inspect(connection).get_table_names())
    if "alembic_version" not in known:
        return None
    found: str | None = query(connection, "SELECT version_num FROM alembic_version").scalar()
    return found


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - 0.2 s that only a migration pays
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
