"""A person at work, in a real browser on a third-party Slack: what a cycle found appears, is answered, and changes."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from alerter.config import load
from alerter.delivery import Bell, deliver_until_stopped
from alerter.desk import FrontDesk
from alerter.slack_requests.answers import Answers
from alerter.slack_requests.policy import Policy
from alerter.slack_requests.socket_mode import SocketModeDoor
from alerter.store.engine import Store
from alerter.store.migrate import migrate
from alerter.web.app import create_app
from alerter.web.server import WebServer
from tests.fixtures.slack_emulator import LOCAL_SIGNING_SECRET, SlackServer, free_port, serve_local_slack
from tests.fixtures.window_data import services as windows
from tests.plugins.parts import chromium
from tests.slack_requests.test_emulator import eventually
from tests.truth.ledgers import HOUR, FakeSource, House, run, services_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = [pytest.mark.needs_local_slack, pytest.mark.needs_chromium]

START = 1_793_487_600_000  # 2026-11-01 00:00 in Berlin
NOW = START + 22 * 24 * HOUR + 14 * HOUR  # Mon 23 Nov 14:00
ANNA = "slack:U01ANNA (anna)"
BUDGETS = """
defaults: {timezone: Europe/Berlin, period: monthly, thresholds: [50%, 100%], receivers: [ml-costs]}
budgets:
  - {name: every-team, group_by: [team], amount: "100"}
"""
PRICES = 'catalogs: []\nprices: [{match: {instance_type: "m5.*"}, per_instance_hour: "1"}]\n'


@dataclass
class Office:
    """A daemon's parts without its timer, a workspace, and a window on it."""

    made: House
    slack: SlackServer
    page: "Page"
    bell: Bell

    def spend(self, team: str, hours: int, number: int = 1) -> None:
        """Let a run of a team have cost so many dollars, and run a cycle."""
        self.made.source.put(run(f"{team}-{number}", "FINISHED", START, START + hours * HOUR, tags={"team": team}))
        self.made.cycle(NOW)
        self.bell.ring()

    def message(self, words: str) -> "Locator":
        """Return the first message with these words, once it is there."""
        found = self.page.locator(".msg", has_text=words).first
        found.wait_for()
        return found

    def audit(self) -> list[tuple[object, ...]]:
        return self.made.rows("SELECT actor, via, action, target FROM audit ORDER BY id")


@contextmanager
def working(made: House, bell: Bell) -> Iterator[None]:
    """Deliver in the background."""
    stop = threading.Event()
    arguments = {"clock": lambda: int(time.time() * 1000), "owner": "me", "stop": stop, "bell": bell}
    thread = threading.Thread(
        target=deliver_until_stopped, args=(made.store, made.services.notifiers), kwargs=arguments
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)


@pytest.fixture(params=["socket", "http"])
def office(request: pytest.FixtureRequest, tmp_path: Path, browser: "Browser") -> Iterator[Office]:
    port = free_port()
    url = f"http://127.0.0.1:{port}/slack/interactions" if request.param == "http" else ""
    with serve_local_slack(tmp_path, url) as slack, ExitStack() as stack:
        folder = tmp_path / "config"
        folder.mkdir()
        (folder / "budgets.yaml").write_text(BUDGETS)
        (folder / "prices.yaml").write_text(PRICES)
        (folder / "alerter.yaml").write_text(
            'receivers: [{name: ml-costs, slack: {channel: "#ml-costs"}}]\n'
            f'slack: {{base_url: "{slack.base_url}"}}\n'
            'sources: [{name: main, tracking_uri: "http://127.0.0.1:9"}]\n'
        )
        config = load(folder, {"SLACK_BOT_TOKEN": slack.token, "SLACK_APP_TOKEN": slack.app_token})
        store = Store(f"sqlite:///{tmp_path / 'alerter.db'}")
        stack.callback(store.close)
        migrate(store)
        source, bell = FakeSource(), Bell()
        made = House(config, store, source, services_of(config, store, source, NOW))
        made.cycle(NOW)
        desk = FrontDesk(lambda: made.services, lambda: NOW, bell.ring)
        answers = Answers(desk, Policy, base_url=slack.base_url)
        stack.callback(answers.close)
        if url:
            served = replace(windows(), answers=answers, signing_secret=lambda: LOCAL_SIGNING_SECRET, clock=time.time)
            server = WebServer(create_app(served), "127.0.0.1", port)
            server.start()
            stack.callback(server.stop)
        else:
            door = SocketModeDoor(slack.app_token, answers, base_url=slack.base_url, ping_s=1)
            door.start()
            stack.callback(door.stop)
            eventually(door.healthy)
        stack.enter_context(working(made, bell))
        page = browser.new_page(viewport={"width": 1100, "height": 1400})
        page.set_default_timeout(15_000)
        stack.callback(page.close)
        page.goto(slack.url)
        page.get_by_text("ml-costs").first.click()
        yield Office(made, slack, page, bell)


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield found
        found.close()


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
        box = office.page.locator("textarea").first
        box.fill(f"/budget {text}")
        box.press("Enter")
        office.message(words)
    office.message("60 % used").get_by_text("the sweep ends").wait_for()
