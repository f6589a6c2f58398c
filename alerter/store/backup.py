"""A copy of the database that was whole at one instant, made while others work on it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from alerter.store.engine import Store, StoreError


def back_up(store: Store, file: Path) -> int:
    """Write a copy of a SQLite database into a new file that only its owner may read, and return its size in bytes.

    Readers and writers go on meanwhile. The copy is checked; one that failed is removed.

    Raises:
        StoreError: the database is PostgreSQL's or isn't there, or the file exists or can't be written.
    """
    path = store.sqlite_path()
    if path is None:
        dump = f"pg_dump --format=custom --file={file} --dbname={store.url.database}"
        raise StoreError(f"database {store.name} is backed up by its own tools, such as `{dump}`; nothing was written")
    if store.is_missing():
        raise StoreError(f"database {store.name} isn't there yet: there is nothing to back up")
    _reserve(file)
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as source:
            _copy(source, file)
    except sqlite3.Error as error:
        _remove(file)
        raise StoreError(
            f"back-up {file}: {error}; nothing was kept: see that there is space, and that both can be read"
        ) from error
    except BaseException:
        _remove(file)
        raise
    return file.stat().st_size


def _reserve(file: Path) -> None:
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise StoreError(f"back-up {file} exists already and is left as it is; give another name") from None
    except OSError as error:
        raise StoreError(f"back-up {file} can't be written ({error.strerror}); give a folder that can be") from error
    os.close(handle)


def _copy(source: sqlite3.Connection, file: Path) -> None:
    with closing(sqlite3.connect(file)) as target:
        source.backup(target)  # in one read: in WAL mode it waits for no writer and holds none up
        target.execute("PRAGMA journal_mode=DELETE").close()  # one file, wherever it is taken
        found = target.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise sqlite3.DatabaseError(f"the copy is damaged ({found})")


def _remove(file: Path) -> None:
    for each in (file, *(file.with_name(file.name + end) for end in ("-journal", "-wal", "-shm"))):
        with suppress(OSError):
            each.unlink()
