"""When polls fail the operators are told once, whatever becomes of the first attempts to tell them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from alerter.config import Config, load
from alerter.daemon.alarm import Alarm
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
        self.present = Present(house.store, self.wire, self.clock, Leadership(house.store, length_s=60))
        self.present.adopt(load(house.folder, house.environ))
        self.alarm = Alarm(self.present, self.clock, "me")

    def wire(self, config: Config, store: Store, **settings: Any) -> Services:  # noqa: ANN401
        return replace(self.house.wire(config, store, **settings), notifiers={"console": self.service})

    def fail(self, minutes: int) -> None:
        for _ in range(minutes):
            self.alarm.failed(TROUBLE)
            self.clock.now_ms += MINUTE

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
    desk.alarm.well()
    desk.alarm.well()
    assert len(desk.enqueued()) == 1


def test_what_fails_for_a_moment_is_not_told(scripted: House) -> None:
    desk = Desk(scripted)
    for _ in range(4):
        desk.fail(DOWN_AFTER - 1)
        desk.alarm.well()
    assert (desk.service.attempts, desk.enqueued()) == ([], [])


def test_a_second_trouble_is_told_again(scripted: House) -> None:
    desk = Desk(scripted)
    for _ in range(2):
        desk.fail(DOWN_AFTER + 1)
        desk.alarm.well()
    assert (len(desk.service.posts), len(desk.enqueued())) == (2, 2)


def test_without_operators_it_is_only_logged(scripted: House, caplog: pytest.LogCaptureFixture) -> None:
    scripted.write("alerter.yaml", ALERTER.replace("operators: ops\n", ""))
    desk = Desk(scripted)
    desk.fail(DOWN_AFTER + 1)
    desk.alarm.well()
    assert desk.service.attempts == []
    assert "The daemon can't do its work" in caplog.text
