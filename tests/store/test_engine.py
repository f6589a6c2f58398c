import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from alerter.check import check_database
from alerter.store.bulk import insert_rows, query
from alerter.store.engine import Store, StoreError, refuse_old_sqlite
from alerter.store.migrate import migrate
from alerter.store.outbox_read import pending_count
from tests.fixtures.rows import add_notification


def add_fact(store: Store, name: str = "a", value: str = "b") -> None:
    with store.write() as connection:
        query(connection, "INSERT INTO meta (name, value) VALUES (?, ?)", name, value)


def facts(store: Store) -> list[str]:
    with store.read() as connection:
        return [row.name for row in query(connection, "SELECT name FROM meta ORDER BY name")]


def copy(database: Path, folder: Path) -> Path:
    return Path(shutil.copyfile(database, folder / "alerter.db"))


def pragma(store: Store, setting: str) -> None:
    """On the one connection of the pool, which the next transaction takes."""
    with store.engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA {setting}")


def test_a_reader_sees_one_state_throughout(store: Store) -> None:
    with store.read() as connection:
        before = query(connection, "SELECT COUNT(*) FROM meta").scalar()
        add_fact(store)
        assert query(connection, "SELECT COUNT(*) FROM meta").scalar() == before
    assert facts(store) == ["a"]


def test_what_fails_half_way_changes_nothing(store: Store) -> None:
    add_fact(store)
    with pytest.raises(StoreError), store.write() as connection:
        insert_rows(connection, "INSERT INTO meta (name, value) VALUES (?, ?)", [("b", ""), ("a", "")])
    assert facts(store) == ["a"]


def test_a_locked_one_is_said_so_and_works_again(migrated_sqlite: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{copy(migrated_sqlite, tmp_path)}"
    with closing(Store(url)) as store, closing(Store(url)) as other:
        pragma(store, "busy_timeout=50")  # else it waits 20 s
        with other.write(), pytest.raises(StoreError, match="another process holds its lock"):
            add_fact(store)
        add_fact(store)


def test_a_full_disk_is_said_so_and_loses_nothing(migrated_sqlite: Path, tmp_path: Path) -> None:
    with closing(Store(f"sqlite:///{copy(migrated_sqlite, tmp_path)}")) as store:
        add_notification(store, "k")
        pragma(store, "max_page_count=1")  # at most as large as it is now
        with pytest.raises(StoreError, match=r"the disk is full .*free some space"):
            add_fact(store, value="x" * 100_000)
        pragma(store, "max_page_count=1000000")
        add_fact(store, value="x" * 100_000)
        with store.read() as connection:
            assert pending_count(connection) == 1


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = Store(f"sqlite:///{tmp_path / 'alerter.db'}")
        migrate(store)
        with store.write() as connection:
            connection.exec_driver_sql("CREATE TABLE more (x)")
            files = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}
        store.close()
    finally:
        os.umask(before)
    assert {name for name in files if name.startswith("alerter.db-")} == {"alerter.db-wal", "alerter.db-shm"}
    assert set(files.values()) == {0o600}


def test_a_file_that_is_there_keeps_its_rights(migrated_sqlite: Path, tmp_path: Path) -> None:
    path = tmp_path / "alerter.db"
    path.write_bytes(migrated_sqlite.read_bytes())
    path.chmod(0o640)
    store = Store(f"sqlite:///{path}")
    with store.read():
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert check_database(store).level == "ok"
    path.chmod(0o644)
    assert check_database(store).text == "everybody on this machine can read its file"
    store.close()


def test_what_cannot_be_opened_is_said_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("not a database, but long enough to be taken for one" * 40)
    sqlite3.connect(tmp_path / "empty.db").close()
    for url, words in (
        (f"sqlite:///{tmp_path}/nowhere/a.db", "the file can't be opened .*create its folder"),
        (f"sqlite:///{tmp_path}/text.db", "not a SQLite database .*another path"),
        (f"sqlite:///{tmp_path}/empty.db", "has not been migrated .*run `alerter migrate`"),
    ):
        with closing(Store(url)) as store, pytest.raises(StoreError, match=words) as refused:
            facts(store)
        assert len(str(refused.value).splitlines()) == 1


@pytest.mark.needs_postgres
def test_a_postgresql_error_names_the_remedy_and_no_password(new_postgres: Callable[[], str]) -> None:
    url = make_url(new_postgres())
    elsewhere = "postgresql+psycopg://ann:hunter2@127.0.0.1:1/alerter"
    for each, words in (
        (url.render_as_string(hide_password=False), "has not been migrated"),
        (elsewhere, r"ann:\*\*\*@127.0.0.1:1/alerter: its server can't be reached"),
        (url.set(database="nowhere").render_as_string(hide_password=False), 'can\'t be reached.*"nowhere"'),
    ):
        with closing(Store(each)) as store, pytest.raises(StoreError, match=words) as refused:
            facts(store)
        assert "hunter2" not in str(refused.value)
        assert len(str(refused.value).splitlines()) == 1


def test_an_old_sqlite_is_refused_with_a_remedy() -> None:
    refuse_old_sqlite((3, 35, 0))
    with pytest.raises(StoreError, match=r"SQLite is 3\.34\.1, and 3\.35 is needed: take a Python that"):
        refuse_old_sqlite((3, 34, 1))
