"""The right to poll a database that several daemons share: one has it at a time, by the database's own clock.

Whoever finds it lapsed takes it with the next epoch. What its holder writes names its epoch in the same transaction
(`fence`), so that one who was stopped or cut off, and goes on late, changes nothing. SQLite needs no lease: its file is
locked for one process.
"""

from __future__ import annotations

import logging

from sqlalchemy import Connection

from alerter.store.bulk import query
from alerter.store.engine import Store, StoreError
from alerter.store.migrate import require_current

log = logging.getLogger(__name__)

_NAME = "poll"
_NOW_MS = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
_WAIT = "2s"
"""How long a take-over waits for the sessions that it has ended to let go."""


class FencedError(StoreError):
    """Another process polls by now; what this one was about to write was refused."""


def take(store: Store, length_ms: int) -> int | None:
    """Take the lease for so long if it is free and return its epoch; None while another process holds it.

    The sessions of a holder that let it lapse are ended: one that was stopped within a transaction keeps its locks.

    Raises:
        StoreError: the database can't be used, or its schema is no longer this program's.
    """
    with store.write() as connection:
        require_current(store, connection)
        seen = query(
            connection, f"SELECT holder, until_ms > {_NOW_MS} AS held FROM lease WHERE name = ?", _NAME
        ).first()
        if seen is not None and seen.held:
            return None
        if seen is None:
            blank = "INSERT INTO lease (name, holder, epoch, until_ms) VALUES (?, '', 0, 0) ON CONFLICT DO NOTHING"
            query(connection, blank, _NAME)
        elif seen.holder not in {"", store.session}:
            _end_sessions(connection, seen.holder)
        return _take(store, connection, length_ms)


def _take(store: Store, connection: Connection, length_ms: int) -> int | None:
    query(connection, f"SET LOCAL lock_timeout = '{_WAIT}'")
    # FOR UPDATE waits for writers that hold it FOR KEY SHARE (`fence`); a renewal alone would not.
    free = f"SELECT epoch FROM lease WHERE name = ? AND until_ms <= {_NOW_MS} FOR UPDATE"
    if query(connection, free, _NAME).first() is None:
        return None
    taken = f"UPDATE lease SET holder = ?, epoch = epoch + 1, until_ms = {_NOW_MS} + ? WHERE name = ? RETURNING epoch"
    return int(query(connection, taken, store.session, length_ms, _NAME).scalar_one())


def _end_sessions(connection: Connection, holder: str) -> None:
    ended = query(
        connection,
        "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = ? "
        "AND usename = current_user AND datname = current_database()",
        holder,
    ).scalar_one()
    if ended:
        log.warning("ended the sessions of a daemon that let its lease lapse holder=%s sessions=%d", holder, ended)


def renew(store: Store, epoch: int, length_ms: int) -> bool:
    """Hold the lease for so long from now on; False if it has passed on.

    Raises:
        StoreError: the database can't be used.
    """
    sql = f"UPDATE lease SET until_ms = {_NOW_MS} + ? WHERE name = ? AND epoch = ?"
    with store.write() as connection:
        return bool(query(connection, sql, length_ms, _NAME, epoch).rowcount)


def give_up(store: Store, epoch: int) -> None:
    """Let another process take the lease at once; nothing happens if it has passed on.

    Raises:
        StoreError: the database can't be used; it lapses by itself.
    """
    with store.write() as connection:
        query(connection, "UPDATE lease SET holder = '', until_ms = 0 WHERE name = ? AND epoch = ?", _NAME, epoch)


def fence(connection: Connection, epoch: int) -> None:
    """See to it that a transaction commits only while an epoch stands; before anything is written in it.

    Raises:
        FencedError: the lease has passed on.
    """
    # KEY SHARE lets renewals through, and holds a take-over up until this transaction has ended.
    sql = "SELECT 1 FROM lease WHERE name = ? AND epoch = ? FOR KEY SHARE"
    if query(connection, sql, _NAME, epoch).first() is None:
        raise FencedError("another daemon polls by now: what this one was about to write was refused")


def holder(connection: Connection) -> str:
    """Return the name of the process that holds the lease, ``""`` if none does."""
    sql = f"SELECT holder FROM lease WHERE name = ? AND until_ms > {_NOW_MS}"
    found: str | None = query(connection, sql, _NAME).scalar()
    return found or ""
