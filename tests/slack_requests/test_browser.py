"""A person at work, in a real browser on a third-party Slack: what a cycle found appears, is answered, and changes."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.slack_requests.office import ANNA, Office, open_office
from tests.slack_requests.test_emulator import eventually

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.needs_local_slack, pytest.mark.needs_chromium]

A_MINUTE_MS = 60_000


@pytest.fixture(params=["socket", "http"])
def office(request: pytest.FixtureRequest, tmp_path: Path, browser: "Browser") -> Iterator[Office]:
    with open_office(tmp_path, browser, socket=request.param == "socket") as made:
        yield made


def test_an_alert_is_acknowledged_taken_back_and_snoozed_where_it_stands(office: Office) -> None:
    office.spend("vision", 60)
    alert = office.message("November budget 60 % used")
    alert.get_by_role("button", name="Acknowledge").click()
    alert.get_by_text("quiet until the next threshold").wait_for()
    assert "Anna" in alert.inner_text()
    (acknowledged,) = office.audit()
    assert acknowledged[:3] == (ANNA, "slack", "ack")
    assert str(acknowledged[3]).startswith("A-")

    alert.get_by_role("button", name="Take back").click()
    alert.get_by_role("button", name="Acknowledge").wait_for()
    alert.locator("select").select_option(label="until tomorrow 9:00")
    alert.get_by_text("quiet until Tue 24 Nov 09:00").wait_for()
    assert "Snoozed by" in alert.inner_text()
    assert [each[2] for each in office.audit()] == ["ack", "unack", "snooze"]


def test_what_follows_stands_in_the_thread_and_the_first_message_shows_it(office: Office) -> None:
    office.spend("vision", 60)
    first = office.message("60 % used").get_attribute("data-ts")
    office.spend("vision", 50, number=2)
    root = office.message("110 % used")
    assert root.get_attribute("data-ts") == first
    root.get_by_text("1 reply").click()
    reply = office.page.locator(f".msg:not([data-ts='{first}'])", has_text="110 % used")
    reply.get_by_role("button", name="Acknowledge").click()
    root.get_by_text("quiet until the next threshold").wait_for()
    reply.get_by_text("quiet until the next threshold").wait_for()


def test_a_command_is_typed_and_answered(office: Office) -> None:
    office.spend("vision", 60)
    office.message("60 % used")
    for text, words in (
        ("status vision", "$60.00 of $100.00"),
        ("explain vision-1", "Charged as"),
        ("snoze vision 4h", "Did you mean snooze?"),
        ("snooze visoin 4h", "did you mean"),
        ("ack vision until 90% -- the sweep ends", "is acknowledged by"),
    ):
        office.command(text)
        office.message(words)
    office.message("60 % used").get_by_text("the sweep ends").wait_for()


@pytest.mark.timeout(240)
def test_the_socket_is_cut_for_a_minute_and_comes_back(tmp_path: Path, browser: "Browser") -> None:
    with open_office(tmp_path, browser, socket=True) as office:
        door, line = office.door, office.line
        assert door is not None
        assert line is not None
        office.spend("vision", 60)
        alert = office.message("60 % used")
        line.cut()
        eventually(lambda: not door.healthy())
        alert.get_by_role("button", name="Acknowledge").click()  # nobody is there to hear it
        office.page.wait_for_timeout(A_MINUTE_MS)
        assert not door.healthy()
        assert "can't be reached" in door.problem()
        assert office.audit() == []
        line.restore()
        eventually(door.healthy, 30)
        alert.get_by_role("button", name="Acknowledge").click()
        alert.get_by_text("quiet until the next threshold").wait_for()
        office.command("status vision")
        office.message("$60.00 of $100.00")
        assert [each[:3] for each in office.audit()] == [(ANNA, "slack", "ack")]
