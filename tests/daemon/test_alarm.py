"""When polls fail the operators are told once, whatever becomes of the first attempts to tell them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from alerter.config import Config, load
from alerter.daemon.alarm import Alarm
from alerter.daemon.outage import FORGOTTEN_MS, Memory, Outage
from alerter.daemon.present import Present
from alerter.leadership import Leadership
from alerter.services import Services
from alerter.store.engine import Store
from alerter.store.outbox_read import list_notifications
from tests.daemon.conftest import ALERTER, House
from tests.delivery.fakes import Clock, Service

MINUTE = 60_000
DOWN_AFTER = 15
TROUBLE = "the poll failed and is tried again: the disk is full"


class Desk:
    """An alarm on a real database whose operators are reached by a scripted service."""

    def __init__(self, house: House, *script: str) -> None:
        self.clock, self.house = Clock(1_795_435_200_000), house
        self.service = Service(self.clock, kind="console", script=list(script))
        present = Present(house.store, self.wire, self.clock, Leadership(house.store, length_s=60))
        self.services = present.adopt(load(house.folder, house.environ)).services
        self.restart()

    def restart(self) -> None:
        self.alarm = Alarm(Memory(self.house.store.url, self.house.environ), self.clock, "me")

    def wire(self, config: Config, store: Store, **settings: Any) -> Services:  # noqa: ANN401
        return replace(self.house.wire(config, store, **settings), notifiers={"console": self.service})

    def fail(self, minutes: int) -> None:
        for _ in range(minutes):
            self.alarm.failed(TROUBLE, self.services.config, self.services.notifiers)
            self.clock.now_ms += MINUTE

    def well(self) -> None:
        self.alarm.well(self.services)

    def enqueued(self) -> list[str]:
        with self.house.store.read() as connection:
            return [each.key for each in list_notifications(connection)]


@pytest.fixture
def scripted(house: House) -> Iterator[House]:
    house.write("alerter.yaml", ALERTER.replace("200ms", f"1m, source_down_after: {DOWN_AFTER}m"))
    yield house
    house.store.close()


@pytest.mark.parametrize(
    ("script", "attempts", "arrived"),
    [
        ([], 1, 1),
        (["delay", "limit"], 3, 1),
        (["posted"], 1, 1),  # a time-out, but it is there
        (["lost"], 2, 1),
        (["bug"], 1, 1),
        (["reject"], 1, 0),
    ],
)
def test_they_are_told_once(scripted: House, script: list[str], attempts: int, arrived: int) -> None:
    desk = Desk(scripted, *script)
    desk.fail(DOWN_AFTER)
    assert not desk.service.attempts
    desk.fail(60)
    assert (len(desk.service.attempts), len(desk.service.posts)) == (attempts, arrived)
    if arrived:
        _, message, _ = desk.service.told[0]
        assert (message.title, TROUBLE in message.text) == ("The daemon can't do its work", True)
    desk.well()
    desk.well()
    assert len(desk.enqueued()) == 1


def test_what_fails_for_a_moment_is_not_told(scripted: House) -> None:
    desk = Desk(scripted)
    for _ in range(4):
        desk.fail(DOWN_AFTER - 1)
        desk.well()
    assert (desk.service.attempts, desk.enqueued()) == ([], [])


def test_a_second_trouble_is_told_again(scripted: House) -> None:
    desk = Desk(scripted)
    for _ in range(2):
        desk.fail(DOWN_AFTER + 1)
        desk.well()
    assert (len(desk.service.posts), len(desk.enqueued())) == (2, 2)


def test_without_operators_it_is_only_logged(scripted: House, caplog: pytest.LogCaptureFixture) -> None:
    scripted.write("alerter.yaml", ALERTER.replace("operators: ops\n", ""))
    desk = Desk(scripted)
    desk.fail(DOWN_AFTER + 1)
    desk.well()
    assert desk.service.attempts == []
    assert "The daemon can't do its work" in caplog.text


@pytest.mark.parametrize(("script", "arrived"), [([], 1), (["posted"], 1), (["delay", "lost"], 1)])
def test_a_restart_forgets_nothing(scripted: House, script: list[str], arrived: int) -> None:
    desk = Desk(scripted, *script)
    for _ in range(DOWN_AFTER + 10):
        desk.fail(1)
        desk.restart()
    assert len(desk.service.posts) == arrived
    desk.well()
    assert [":working:" in each for each in desk.enqueued()] == [True]
    desk.restart()
    desk.well()
    assert len(desk.enqueued()) == 1


def test_what_failed_days_ago_is_another_outage(scripted: House) -> None:
    desk = Desk(scripted)
    desk.fail(DOWN_AFTER + 1)
    desk.restart()
    desk.clock.now_ms += 2 * FORGOTTEN_MS
    desk.fail(DOWN_AFTER)
    assert len(desk.service.posts) == 1
    desk.fail(1)
    assert len(desk.service.posts) == 2


def test_where_nothing_can_be_remembered(scripted: House, tmp_path: Path) -> None:
    """A daemon that lives still tells it once; one that ends of it could only tell it at every start."""
    desk = Desk(scripted)
    nowhere = {"STATE_DIRECTORY": "/proc/nowhere", "TMPDIR": "/proc/nowhere"}
    memory = Memory(make_url("sqlite:////proc/nowhere/alerter.db"), nowhere)
    config, notifiers = desk.services.config, desk.services.notifiers
    for ends, posts in ((True, 0), (False, 1)):
        alarm = Alarm(memory, desk.clock, "me")
        for _ in range(3):
            alarm.failed(TROUBLE, config, notifiers, ends=ends)
            desk.clock.now_ms += DOWN_AFTER * MINUTE
        assert len(desk.service.posts) == posts


def test_a_file_of_somebody_else_s_making_is_no_outage(tmp_path: Path) -> None:
    memory = Memory(make_url("sqlite://"), {"STATE_DIRECTORY": str(tmp_path), "TMPDIR": str(tmp_path)})
    assert memory.keep(Outage(1, "me", 2, {"slack": True}))
    assert memory.load() == Outage(1, "me", 2, {"slack": True})
    (kept,) = tmp_path.iterdir()
    for text in ("", "[]", "{", '{"since_ms": "x"}', '{"since_ms": 1, "owner": 1, "seen_ms": 1, "pending": []}'):
        kept.write_text(text)
        assert memory.load() is None
    memory.forget()
    assert list(tmp_path.iterdir()) == []
