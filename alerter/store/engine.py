"""One database: its engine, its transactions, its clearest errors."""

from __future__ import annotations

import os
import secrets
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

BUSY_TIMEOUT_S = 20

SQLITE = (3, 35)
"""What returns rows that it inserts, and drops a column."""

IDLE_S = 60
"""A process that stops within a writing transaction loses it, and its locks, after so long."""

_POSTGRES = {
    "connect_timeout": "10",
    # A connection that was cut without a word is noticed within half a minute.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "25000",
}


class StoreError(Exception):
    """The database can't be used; the message says which, why and what to do."""


class Store:
    """The daemon's own database. Every method that changes something is one transaction.

    Attributes:
        session: a name that no other process has; PostgreSQL shows it as ``application_name``.
    """

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.session = f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(3)}"
        self.engine = open_engine(url, self.session)
        # By default each statement of PostgreSQL sees what was committed until it began.
        shared = self.is_shared
        self._snapshots = self.engine.execution_options(isolation_level="REPEATABLE READ") if shared else self.engine

    @property
    def is_shared(self) -> bool:
        """Whether several processes may work on it, as on PostgreSQL."""
        return self.url.get_backend_name() != "sqlite"

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Begin a writing transaction (on SQLite BEGIN IMMEDIATE) and commit it at the end.

        Raises:
            StoreError: the database is locked, read-only, full or gone; nothing was changed.
        """
        with self._explained(), self.engine.connect() as connection:
            connection.info["write"] = True
            with connection.begin():
                if self.is_shared:
                    connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_S}s'")
                yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Begin a transaction that sees one state of the database throughout."""
        with self._explained(), self._snapshots.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise StoreError(explain(self.name, _cause(error))) from error

    @property
    def name(self) -> str:
        """The database's URL without its password."""
        return self.url.render_as_string(hide_password=True)

    def sqlite_path(self) -> Path | None:
        """Return the file that holds the database; None for PostgreSQL and for one in memory."""
        return _file_of(self.url)

    def is_missing(self) -> bool:
        """Whether the database's file isn't there yet; opening it would make one."""
        path = self.sqlite_path()
        return path is not None and not path.exists()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def open_engine(url: str, session: str = "alerter") -> Engine:
    """Return an engine; on SQLite in WAL mode with explicit transactions, see `_begin`."""
    if (parsed := make_url(url)).get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True, connect_args=_postgres_arguments(parsed, session))
    refuse_old_sqlite(sqlite3.sqlite_version_info)
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False})
    event.listen(engine, "do_connect", lambda *_more: _reserve(None if parsed.query else _file_of(parsed)))
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def refuse_old_sqlite(version: tuple[int, ...]) -> None:
    """Check the version of SQLite that Python brings.

    Raises:
        StoreError: it is older than `SQLITE`.
    """
    if version < SQLITE:
        needed, here = (".".join(map(str, each)) for each in (SQLITE, version))
        raise StoreError(
            f"this Python's SQLite is {here}, and {needed} is needed: take a Python that brings its own "
            "(from python.org, uv or conda), the image, or PostgreSQL for `database:`"
        )


def _file_of(url: URL) -> Path | None:
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database).removeprefix("file:").partition("?")[0])


def _reserve(path: Path | None) -> None:
    """Make a new file that only its owner may read: it will hold everybody's names and costs.

    SQLite gives the files beside it the same rights. What it can't be made for, SQLite says better.
    """
    if path is not None:
        with suppress(OSError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _postgres_arguments(url: URL, session: str) -> dict[str, Any]:
    """Return what libpq is told unless the URL says otherwise."""
    mine = _POSTGRES | {"application_name": session}
    return {name: value for name, value in mine.items() if name not in url.query or name == "application_name"}


def _configure(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    # The driver's own transaction handling commits around DDL; BEGIN is ours (facts: a killed migration).
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "cache_size=-16000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    # A deferred transaction that turns into a writer can't wait for another one: take the write lock at once.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.info.pop("write", False) else "BEGIN")


_CAUSES = (
    ("readonly", "it is read-only", "make the file and its folder writable for the daemon's user"),
    ("locked", "another process holds its lock", "stop the other writer; the daemon tries again by itself"),
    ("is full", "the disk is full", "free some space; the daemon goes on by itself"),
    (
        "unable to open",
        "the file can't be opened",
        "create its folder, or set `database:` in alerter.yaml to a path that can be written",
    ),
    ("not a database", "the file is not a SQLite database", "set `database:` in alerter.yaml to another path"),
    (
        "disk i/o error",
        "the disk reported an error",
        "see that there is space left; if there is, look at the disk",
    ),
    ("no such table", "it has not been migrated", "run `alerter migrate`, which tells more"),
    ("no such column", "its schema is not this program's", "run `alerter migrate`, which tells more"),
    ('relation "', "it has not been migrated", "run `alerter migrate`, which tells more"),
    ("authentication failed", "its server refused the login", "correct user and password in `database:`"),
    (
        "failed to resolve host",
        "its server's name was not found",
        "correct the host in `database:`, or mend the name server; the daemon tries again by itself",
    ),
    ("connection refused", "its server can't be reached", "start it, or correct host and port in `database:`"),
)


def _cause(error: DBAPIError) -> DBAPIError:
    """Return what went wrong first: a full disk ends the transaction, and then its savepoint is missing too."""
    if "no such savepoint" in str(error.orig):
        before = error.__cause__ or error.__context__
        while before is not None:
            if isinstance(before, DBAPIError) and "no such savepoint" not in str(before.orig):
                return before
            before = before.__cause__ or before.__context__
    return error


def explain(name: str, error: DBAPIError) -> str:
    """Return one line that names the database, the cause and the remedy."""
    text = str(error.orig).splitlines()[0] if error.orig else type(error).__name__
    for sign, cause, remedy in _CAUSES:
        if sign in text.lower():
            return f"database {name}: {cause} ({text}); {remedy}"
    kind = "can't be reached" if isinstance(error, OperationalError) else "refused a statement"
    return f"database {name} {kind}: {text}"
