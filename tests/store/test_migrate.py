import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlmodel import SQLModel

from alerter.store import migrate as migrating, schema
from alerter.store.engine import Store, StoreError
from alerter.store.migrate import REVISIONS, migrate, require_whole, schema_state

SCRIPTS = Path(migrating.__file__).parent / "migrations"


@pytest.fixture
def empty(empty_url: str) -> Iterator[Store]:
    with closing(Store(empty_url)) as store:
        yield store


def tables(store: Store) -> set[str]:
    with store.read() as connection:
        return set(inspect(connection).get_table_names())


def test_the_constant_names_every_script_in_order() -> None:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    assert [each.revision for each in reversed(list(scripts.walk_revisions()))] == list(REVISIONS)


def test_the_migrations_make_the_schema(store: Store) -> None:
    assert schema.NotificationRow.metadata is SQLModel.metadata
    with store.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []


def test_partial_indexes_and_tables_without_rowid_are_as_in_the_schema(migrated_sqlite: Path, tmp_path: Path) -> None:
    """What Alembic's comparison doesn't look at."""
    with closing(Store(f"sqlite:///{tmp_path / 'made.db'}")) as made, made.write() as connection:
        SQLModel.metadata.create_all(connection)

    def words(path: Path) -> dict[str, tuple[str | None, bool]]:
        with closing(sqlite3.connect(path)) as connection:
            rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        found = {name: (sql.partition(" WHERE ")[2], "WITHOUT ROWID" in sql) for name, sql in rows}
        return {name: what for name, what in found.items() if name != "alembic_version"}

    assert words(migrated_sqlite) == words(tmp_path / "made.db")


def test_from_empty_to_current_once(empty: Store) -> None:
    assert schema_state(empty) == "empty"
    assert migrate(empty) == list(REVISIONS)
    assert schema_state(empty) == "current"
    assert migrate(empty) == []


def test_looking_makes_no_file(tmp_path: Path) -> None:
    with closing(Store(f"sqlite:///{tmp_path / 'alerter.db'}")) as store:
        assert schema_state(store) == "empty"
    assert list(tmp_path.iterdir()) == []


def test_a_newer_schema_is_refused_and_kept(store: Store) -> None:
    with store.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert schema_state(store) == "newer"
    before = tables(store)
    with pytest.raises(StoreError, match=r"newer alerter \(this one knows schema .*restore the back-up"):
        migrate(store)
    assert tables(store) == before
    assert schema_state(store) == "newer"


@pytest.mark.parametrize("revision", [None, "c3d6457b6d8a"])
def test_a_database_of_another_program_is_refused_and_kept(empty: Store, revision: str | None) -> None:
    with empty.write() as connection:
        connection.execute(text("CREATE TABLE runs (run_uuid TEXT)"))
        if revision:  # MLflow's own has an alembic_version too
            connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
            connection.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": revision})
    before = tables(empty)
    assert schema_state(empty) == "foreign"
    with pytest.raises(StoreError, match=r"another program's tables.*a database of its own"):
        migrate(empty)
    assert tables(empty) == before


def test_knowing_that_it_is_current_does_not_import_alembic(migrated_sqlite: Path) -> None:
    code = f"""
import sys
from alerter.store.engine import Store
from alerter.store.migrate import schema_state, migrate
store = Store("sqlite:///{migrated_sqlite}")
assert schema_state(store) == "current" and migrate(store) == []
assert "alembic" not in sys.modules and "sqlmodel" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_several_at_once_take_turns(empty_url: str) -> None:
    """Processes, because one process's Alembic keeps its context in a global."""
    code = f"""
from alerter.store.engine import Store
from alerter.store.migrate import migrate
print(migrate(Store({empty_url!r})))
"""

    def start(_: int) -> str:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=100)
        return done.stdout.strip() or done.stderr

    with ThreadPoolExecutor(3) as pool:
        results = sorted(pool.map(start, range(3)))
    assert results == [str(list(REVISIONS)), "[]", "[]"]


def test_a_migration_killed_at_any_statement_leaves_nothing_and_the_next_start_succeeds(empty_url: str) -> None:
    script = Path(__file__).with_name("killed_migration.py")
    done = subprocess.run([sys.executable, script, empty_url], capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stderr
    killed_at = [int(word) for word in done.stdout.split()]
    assert len(killed_at) >= 5
    with closing(Store(empty_url)) as store, store.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []


@pytest.mark.parametrize("begun", ["CREATE TABLE lease (name TEXT)", "ALTER TABLE hold ADD COLUMN until_nanos BIGINT"])
def test_a_half_migrated_one_is_refused_in_one_line_and_kept(empty: Store, begun: str) -> None:
    """As another tool, or a restored part of a back-up, may leave it."""
    revision = "0007" if "lease" in begun else "0005"
    with empty.write() as connection:
        config = Config()
        config.set_main_option("script_location", str(SCRIPTS))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.execute(text(begun))
    before = tables(empty)
    with pytest.raises(StoreError, match=r"is half-migrated \(.*nothing was changed: restore the back-up") as refused:
        migrate(empty)
    assert len(str(refused.value).splitlines()) == 1
    assert tables(empty) == before
    assert schema_state(empty) == "behind"


@pytest.mark.parametrize(
    ("undone", "told"),
    [("DROP TABLE lease", "no lease"), ("ALTER TABLE hold DROP COLUMN until_words", "hold has no until_words")],
)
def test_what_is_missing_is_named_though_it_says_that_it_is_current(store: Store, undone: str, told: str) -> None:
    require_whole(store)
    with store.write() as connection:
        connection.execute(text(undone))
    with pytest.raises(StoreError, match=rf"half-migrated \({told}\); nothing was changed"):
        require_whole(store)
