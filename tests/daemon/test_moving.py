"""From SQLite to PostgreSQL: everything arrives and goes on there, or nothing does."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from sqlalchemy import inspect
from typer.testing import CliRunner

from alerter.cli.app import app
from alerter.config import load
from alerter.moving import move
from alerter.store.bulk import query
from alerter.store.engine import Store, StoreError
from tests.daemon.conftest import BUDGETS, House, ended_run, until

pytestmark = pytest.mark.needs_postgres


@pytest.fixture
def target(new_postgres: Callable[[], str]) -> Iterator[Store]:
    """An empty PostgreSQL database."""
    with closing(Store(new_postgres())) as store:
        yield store


def lived(house: House) -> House:
    """Return a house whose daemon has told an alert."""
    with house.running():
        until(lambda: "90 % used" in house.text())
        until(lambda: house.source.polls > 2)
    return house


def tables(store: Store) -> set[str]:
    with store.read() as connection:
        return set(inspect(connection).get_table_names())


def test_what_was_told_stays_told_and_numbers_go_on(house: House, target: Store) -> None:
    lived(house)
    moved = move(load(house.folder, house.environ), house.store, target)
    assert moved.rows["charge"] == moved.verification.charges == 1
    assert moved.rows["alert"] == moved.rows["notification"] == 1
    assert moved.verification.totals == 1
    with house.store.read() as before, target.read() as after:
        for name in tables(target) - {"lease"}:  # which is the new database's own
            sql = f"SELECT * FROM {name}"  # noqa: S608 - our own names
            rows = [Counter(map(tuple, query(each, sql))) for each in (before, after)]
            assert rows[0] == rows[1], name
    there = House(house.folder, target, printed=house.printed)
    there.source.runs = [*house.source.runs, replace(ended_run(3), run_uuid="r2")]
    with there.running() as running:
        until(lambda: "120 % used" in house.text(), house.text)
        assert {each["threshold"] for each in running.alerts()} == {80, 100}
    assert house.text().count("90 % used") == 1


def test_one_command_moves_it_and_refuses_to_do_so_twice(
    house: House, target: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    lived(house)
    house.store.close()
    text = (house.folder / "alerter.yaml").read_text(encoding="utf-8")
    house.write("alerter.yaml", f"{text}database: sqlite:///{house.store.sqlite_path()}\n")
    url = target.url.render_as_string(hide_password=False)
    monkeypatch.setenv("SLACK_SIGNING_SECRET", "made-up")
    arguments = ["migrate", "--config", str(house.folder), "--to", url]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "1 charges, 1 daily totals checked: every total agrees" in done.output
    assert "set `database:` in alerter.yaml to it" in done.output
    again = CliRunner().invoke(app, arguments)
    assert isinstance(again.exception, StoreError)
    assert "holds tables already; nothing was changed" in str(again.exception)
    house.write("alerter.yaml", f"{text}database: '{url}'\n")
    verified = CliRunner().invoke(app, ["ledger", "verify", "--config", str(house.folder)])
    assert "every total agrees with its charges" in verified.output


def test_a_ledger_that_does_not_agree_with_itself_is_not_moved(house: House, target: Store) -> None:
    lived(house)
    with house.store.write() as connection:
        query(connection, "UPDATE daily SET nanos = nanos + 1")
    with pytest.raises(StoreError, match="nothing was moved: total of budget 1"):
        move(load(house.folder, house.environ), house.store, target)
    assert tables(target) == set()


def test_only_from_sqlite_to_postgresql(house: House, target: Store) -> None:
    house.write("budgets.yaml", BUDGETS % 10)
    config = load(house.folder, house.environ)
    with pytest.raises(StoreError, match="is not PostgreSQL: give an URL"):
        move(config, house.store, house.store)
    with pytest.raises(StoreError, match="is PostgreSQL already"):
        move(config, target, target)
    with closing(Store("sqlite:///nowhere.db")) as missing, pytest.raises(StoreError, match="nothing to move"):
        move(config, missing, target)
    assert tables(target) == set()
