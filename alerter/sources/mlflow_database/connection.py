"""A connection that can only read, ends by itself, and tells without secrets what went wrong."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import Connection, Engine, NullPool, create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError

from alerter.sources.mlflow_rest.errors import ReadError, TransientError

BUSY_S: Final = 5.0
"""How long to wait for a writer of MLflow's SQLite; its commits take milliseconds."""

LOCK_S: Final = 5.0
"""How long to wait on PostgreSQL for a table that is being migrated."""

Rows = Sequence[tuple[Any, ...]]

_RIGHTS = "See docs/deployment.md for the grants that a reading role needs."
_ADDRESS = "Check backend_store, and that the database is up."


class Reading:
    """One open connection: every call of `rows` is a transaction of its own.

    Attributes:
        is_postgres: which of the two databases it is.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.is_postgres = connection.dialect.name == "postgresql"

    def rows(self, sql: str, *values: object) -> Rows:
        """Return the rows of one SELECT, read at once; ``?`` marks its values on both databases."""
        marked = sql.replace("%", "%%").replace("?", "%s") if self.is_postgres else sql
        result = self._connection.exec_driver_sql(marked, values)
        # Tuples as the driver makes them: wrapping a million of them costs half as much again as reading them.
        found: Rows = result.cursor.fetchall()
        result.close()
        return found


class Database:
    """Where to connect.

    Args:
        source: the source's name, for errors.
        url: SQLAlchemy's, of SQLite or PostgreSQL.
        timeout_s: seconds that a connection or a statement may take, and SQLite's writer, up to `BUSY_S`.
    """

    def __init__(self, source: str, url: str, timeout_s: float) -> None:
        self._source = source
        self._url = make_url(url)
        self._timeout_s = timeout_s
        self._busy_s = min(BUSY_S, timeout_s)
        self._engine: Engine | None = None

    @property
    def shown(self) -> str:
        """The address without a password."""
        return self._url._replace(password=None).set(query={}).render_as_string()

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Connect and give a connection to read by.

        Raises:
            ReadError: it can't be reached or read, with the remedy.
        """
        try:
            with self._opened().connect() as connection:
                yield Reading(connection)
        except DBAPIError as error:
            raise self._explained(error) from error

    def _opened(self) -> Engine:
        if self._engine is None:
            is_sqlite = self._url.get_backend_name() == "sqlite"
            try:
                self._engine = _sqlite(self._url, self._busy_s) if is_sqlite else _postgres(self._url, self._timeout_s)
            except ModuleNotFoundError as error:
                text = "PostgreSQL needs an extra that is not installed."
                raise ReadError(self._source, text, 'Install it: pip install "mlflow-alerter[postgres]".') from error
        path = Path(self._url.database or "")
        if self._url.get_backend_name() == "sqlite" and not path.is_file():
            raise ReadError(self._source, f"there is no file {path}.", "Check backend_store.")
        return self._engine

    def _explained(self, error: DBAPIError) -> ReadError:
        said = " ".join(str(error.orig).split())[:200]
        if isinstance(error.orig, sqlite3.Error):
            return self._of_sqlite(said)
        state = str(getattr(error.orig, "sqlstate", None) or "")
        if state == "42501":  # insufficient_privilege
            return ReadError(self._source, f"{self.shown} does not let this user read: {said}.", _RIGHTS)
        if state in {"42P01", "42703"}:  # undefined_table, undefined_column
            return ReadError(self._source, f"{self.shown} is not MLflow's: {said}.", "Check backend_store.")
        if state[:2] in {"40", "53", "55", "57"}:  # conflicts of recovery, resources, locks, shutdowns and time-outs
            return TransientError(self._source, f"{self.shown} could not answer: {said}.", "It is tried again.")
        return ReadError(self._source, f"{self.shown} could not be read: {said}.", _ADDRESS)

    def _of_sqlite(self, said: str) -> ReadError:
        if "locked" in said or "busy" in said:
            text = f"{self.shown} was locked for longer than {self._busy_s:g} s."
            return TransientError(self._source, text, "It is tried again.")
        if "no such table" in said or "no such column" in said:
            return ReadError(self._source, f"{self.shown} is not MLflow's: {said}.", "Check backend_store.")
        if "readonly" in said or "unable to open" in said:
            remedy = "Let this user read the file and, where MLflow uses WAL, write to its folder."
            return ReadError(self._source, f"{self.shown} can't be opened: {said}.", remedy)
        return ReadError(
            self._source, f"{self.shown} could not be read: {said}.", "Check that it is MLflow's database."
        )


def _sqlite(url: URL, busy_s: float) -> Engine:
    path = Path(url.database or "").absolute()

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro", uri=True, timeout=busy_s, isolation_level=None, check_same_thread=False
        )

    # A connection is opened for each poll: a file that was replaced is then another one.
    return create_engine("sqlite://", creator=connect, poolclass=NullPool, isolation_level="AUTOCOMMIT")


def _postgres(url: URL, timeout_s: float) -> Engine:
    settings = {
        "default_transaction_read_only": "on",
        "statement_timeout": round(timeout_s * 1000),
        "lock_timeout": round(LOCK_S * 1000),
        "application_name": "alerter",
        # Of each run a few rows are looked up that lie together: a bitmap of their blocks takes longer than they do.
        "enable_bitmapscan": "off",
        # Compiling a statement takes longer than a page of runs does.
        "jit": "off",
    }
    options = " ".join(f"-c {key}={value}" for key, value in settings.items())
    return create_engine(
        url,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args={
            "connect_timeout": max(2, round(timeout_s)),
            "options": options,
            "keepalives_idle": 30,
            # A prepared statement is planned for any keys, and looks through the list of them for each param of a run.
            "prepare_threshold": None,
        },
    )
