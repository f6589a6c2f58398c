"""A copy while others work: whole, private, never over something else."""

import re
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from alerter.store.backup import back_up
from alerter.store.engine import Store, StoreError
from tests.fixtures.rows import add_alert


def test_a_copy_made_under_a_writer_is_whole_and_private(store: Store, tmp_path: Path) -> None:
    if store.is_shared:
        with pytest.raises(StoreError, match=r"pg_dump --format=custom --file=\S+ --dbname=alerter_\d+"):
            back_up(store, tmp_path / "copy")
        assert not (tmp_path / "copy").exists()
        return
    stop = threading.Event()
    began = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            add_alert(store, f"budget-{number}")  # a budget, a scope and an alert: all or none
            began.set()
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    began.wait(10)
    try:
        copies = [tmp_path / f"copy-{number}" for number in range(5)]
        sizes = [back_up(store, each) for each in copies]
    finally:
        stop.set()
        writer.join()
    for copy, size in zip(copies, sizes, strict=True):
        assert copy.stat().st_mode & 0o777 == 0o600
        assert copy.stat().st_size == size
        with closing(sqlite3.connect(copy)) as connection:
            budgets = connection.execute("SELECT COUNT(*) FROM budget").fetchone()
            alerts = connection.execute("SELECT COUNT(*) FROM alert").fetchone()
        assert budgets == alerts != (0,)
    assert sorted(path.name for path in tmp_path.glob("copy-*")) == [path.name for path in copies]


def test_what_is_there_already_is_left_alone(tmp_path: Path, migrated_sqlite: Path) -> None:
    store, there = Store(f"sqlite:///{migrated_sqlite}"), tmp_path / "there"
    there.write_text("mine")
    with pytest.raises(StoreError, match=re.escape(f"back-up {there} exists already and is left as it is")):
        back_up(store, there)
    assert there.read_text() == "mine"
    with pytest.raises(StoreError, match=r"can't be written .*give a folder"):
        back_up(store, tmp_path / "nowhere" / "copy")
    store.close()


def test_nothing_is_kept_of_what_is_no_database(tmp_path: Path, migrated_sqlite: Path) -> None:
    (tmp_path / "text.db").write_text("no database" * 1000)
    with pytest.raises(StoreError, match="file is not a database; nothing was kept"):
        back_up(Store(f"sqlite:///{tmp_path / 'text.db'}"), tmp_path / "copy")
    with pytest.raises(StoreError, match="there is nothing to back up"):
        back_up(Store(f"sqlite:///{tmp_path / 'none.db'}"), tmp_path / "copy")
    assert [path.name for path in tmp_path.iterdir()] == ["text.db"]


def test_a_damaged_database_gives_no_back_up(tmp_path: Path, migrated_sqlite: Path) -> None:
    broken = tmp_path / "broken.db"
    data = bytearray(migrated_sqlite.read_bytes())
    data[8192:-4096] = b"\xff" * (len(data) - 12288)
    broken.write_bytes(data)
    with pytest.raises(StoreError, match="nothing was kept"):
        back_up(Store(f"sqlite:///{broken}"), tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
