"""Digests and reminders of three daemons on one PostgreSQL: each is told once, whoever polls when it falls due."""

import json
import os
import signal
from collections import Counter
from datetime import UTC, datetime, timedelta
from operator import ge

import pytest

from alerter.store.bulk import query
from tests.daemon.conftest import until
from tests.daemon.several.conftest import Fleet, role
from tests.daemon.test_process import Process

pytestmark = [pytest.mark.needs_postgres, pytest.mark.timeout(300)]

MORE = """\
digests: [{{every: daily, at: "{at:%H:%M}", timezone: UTC, receivers: [hook0]}}]
alerts: {{repeat_interval: 1h, repeat_on: every_day}}
"""


def told(fleet: Fleet) -> dict[str, Counter[str]]:
    """Return how often each message came, by its kind."""
    found: dict[str, Counter[str]] = {"alert": Counter(), "digest": Counter()}
    for each in tuple(fleet.hook.requests):
        body = json.loads(each.body)
        if body["event"] == "told":
            found[body["kind"]][each.headers["webhook-id"]] += 1
    return found


def make_due(fleet: Fleet) -> None:
    """Let the last digest have been yesterday's, of another key, and the last reminder be two hours old."""
    with fleet.store.write() as connection:
        query(connection, "UPDATE digest SET local_day = local_day - 1")
        query(connection, "UPDATE notification SET key = CAST(id AS TEXT) WHERE key LIKE '%digest%'")
        query(connection, "UPDATE episode SET told_ms = told_ms - 7200000")


def polling(fleet: Fleet) -> Process:
    found: list[Process] = []

    def one_polls() -> bool:
        alive = [each for each in fleet.started if each.popen.poll() is None]
        found[:] = [each for each in alive if role(each) == "polls"]
        return bool(found)

    until(one_polls, fleet.logs)
    return found[0]


def test_each_is_told_once(fleet: Fleet) -> None:
    fleet.more = MORE.format(at=datetime.now(UTC) + timedelta(hours=12))  # no other digest falls due meanwhile
    fleet.start_all(3)
    fleet.polled()
    fleet.spend(10)
    until(lambda: told(fleet)["alert"], fleet.logs)

    def totals() -> list[int]:
        return [each.total() for each in told(fleet).values()]

    def told_once(times: int) -> None:
        wanted = [1 + times, times]
        until(lambda: all(map(ge, totals(), wanted)), fleet.logs)
        fleet.polled()
        fleet.polled()
        assert totals() == wanted
        assert set(told(fleet)["alert"].values()) == {1}

    make_due(fleet)
    told_once(1)
    first, epoch = polling(fleet), fleet.epoch()
    os.kill(first.popen.pid, signal.SIGSTOP)
    make_due(fleet)
    fleet.taken_over(epoch)
    os.kill(first.popen.pid, signal.SIGCONT)
    until(lambda: role(first).startswith("standing by; "), first.log)
    told_once(2)
    make_due(fleet)
    epoch, _ = fleet.kill_the_polling_one()
    fleet.taken_over(epoch)
    told_once(3)
    fleet.verify()
