"""One daemon on a SQLite file. The kernel releases the lock when the process dies, however it dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from alerter.store.engine import Store, StoreError


class HeldError(StoreError):
    """Another process holds the database."""


@contextmanager
def hold_lock(store: Store) -> Iterator[None]:
    """Hold the database for this process; several may share a PostgreSQL one, so there it does nothing.

    The lock is on ``<database>.lock``, which stays: removing it would let a third process lock a file of its own.

    Raises:
        HeldError: another process holds it.
        StoreError: the file can't be made.
    """
    path = store.sqlite_path()
    if path is None:
        yield
        return
    name = f"{os.path.realpath(path)}.lock"  # two links to one database are one lock
    try:
        handle = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        remedy = "make its folder writable for the daemon's user"
        if isinstance(error, FileNotFoundError):
            remedy = "create its folder, or set `database:` in alerter.yaml to a path that can be written"
        raise StoreError(
            f"database {store.name}: its lock {name} can't be opened ({error.strerror}); {remedy}"
        ) from error
    try:
        _take(store, handle)
        yield
    finally:
        os.close(handle)


def _take(store: Store, handle: int) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(handle, 20, 0).decode("ascii", "replace").strip()
        who = f" (process {holder})" if holder.isdigit() else ""
        raise HeldError(
            f"database {store.name} is in use by another alerter{who}; "
            "stop that one first, or use PostgreSQL, which several can share"
        ) from error
    with suppress(OSError):  # on a full disk the lock holds all the same; only the message above names nobody
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode("ascii"), 0)
