"""A database that can't be written for a while: the daemon lives, tells the operators once, and makes up for it."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import event

from alerter.store.engine import Store
from tests.daemon.conftest import ALERTER, House, ended_run, until

Breaking = Callable[[Store], AbstractContextManager[None]]


@contextmanager
def read_only(store: Store) -> Iterator[None]:
    with _pragma(store, "query_only=1", "query_only=0"):
        yield


@contextmanager
def full(store: Store) -> Iterator[None]:
    with _pragma(store, "max_page_count=1", "max_page_count=1073741823"):
        yield


@contextmanager
def locked(store: Store) -> Iterator[None]:
    path = store.sqlite_path()
    assert path
    with _pragma(store, "busy_timeout=50", "busy_timeout=20000"), closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.rollback()


@contextmanager
def _pragma(store: Store, on: str, off: str) -> Iterator[None]:
    """SQLite's own limits, so that the errors are its own too."""
    current = [on]

    def limit(connection: sqlite3.Connection, *_more: object) -> None:
        connection.execute(f"PRAGMA {current[0]}").close()

    event.listen(store.engine, "checkout", limit)
    yield
    current[0] = off


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        pytest.param(read_only, "it is read-only", id="read-only"),
        pytest.param(full, "the disk is full", id="full"),
        pytest.param(locked, "another process holds its lock", id="locked"),
    ],
)
def test_the_daemon_lives_and_goes_on(
    house: House, broken: Breaking, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    house.source.runs = []
    house.write("alerter.yaml", ALERTER.replace("200ms", "200ms, source_down_after: 1ms"))
    with house.running() as running:
        until(lambda: running.client.get("/readyz").status_code == 200)
        with broken(house.store):
            # It needs pages of its own, which a full disk has not.
            house.source.runs = [replace(ended_run(), tags=(("note", "x" * 50_000),))]
            until(lambda: running.metric('alerter_job_failures_total{job="poll"}'))
            assert running.client.get("/healthz").status_code == 200
            assert told in running.client.get("/").text
            assert "90 % used" not in house.text()
            until(lambda: "can't do its work\n" in house.text())
            failures = running.metric('alerter_job_failures_total{job="poll"}') or 0
            until(lambda: (running.metric('alerter_job_failures_total{job="poll"}') or 0) > failures + 2)
        until(lambda: "90 % used" in house.text())
        until(lambda: told not in running.client.get("/").text)
        polls = house.source.polls
        until(lambda: house.source.polls > polls + 2)
        until(lambda: "works again" in house.text())
    for once in ("90 % used", "can't do its work", "works again"):
        assert house.text().count(once) == 1
    (line, *_) = [each.getMessage() for each in caplog.records if each.getMessage().startswith("poll failed")]
    assert f"database sqlite:///{house.store.sqlite_path()}: {told}" in line
    assert "Traceback" not in caplog.text
