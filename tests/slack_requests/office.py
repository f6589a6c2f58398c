"""A workspace of a third-party Slack with a person's browser on it, and a daemon's parts behind it."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

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
from tests.fixtures.tcp_proxy import TcpProxy, proxied
from tests.fixtures.window_data import services as windows
from tests.slack_requests.test_emulator import eventually
from tests.truth.ledgers import HOUR, FakeSource, House, run, services_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

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
    """A daemon's parts without its timer, a workspace, and a window on it.

    Attributes:
        door: the daemon's Socket Mode; None where Slack comes in over HTTP.
        line: what its connection to Slack goes through.
    """

    made: House
    slack: SlackServer
    page: "Page"
    bell: Bell
    door: SocketModeDoor | None = None
    line: TcpProxy | None = None

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

    def command(self, text: str) -> None:
        """Type a slash command."""
        box = self.page.locator("textarea").first
        box.fill(f"/budget {text}")
        box.press("Enter")

    def audit(self) -> list[tuple[object, ...]]:
        """Return who did what, oldest first."""
        return self.made.rows("SELECT actor, via, action, target FROM audit ORDER BY id")


@contextmanager
def open_office(folder: Path, browser: "Browser", *, socket: bool) -> Iterator[Office]:
    """Open one that Slack reaches by Socket Mode, or by signed HTTP."""
    port = free_port()
    url = "" if socket else f"http://127.0.0.1:{port}/slack/interactions"
    with serve_local_slack(folder, url) as slack, ExitStack() as stack:
        made, bell = _house(folder, slack, stack), Bell()
        desk = FrontDesk(lambda: made.services, lambda: NOW, bell.ring)
        answers = Answers(desk, Policy, base_url=slack.base_url)
        stack.callback(answers.close)
        door = line = None
        if socket:
            line = stack.enter_context(_line_to(slack))
            door = SocketModeDoor(slack.app_token, answers, base_url=f"http://127.0.0.1:{line.port}/api/", ping_s=1)
            door.start()
            stack.callback(door.stop)
            eventually(door.healthy)
        else:
            served = replace(windows(), answers=answers, signing_secret=lambda: LOCAL_SIGNING_SECRET, clock=time.time)
            server = WebServer(create_app(served), "127.0.0.1", port)
            server.start()
            stack.callback(server.stop)
        stack.enter_context(_delivering(made, bell))
        page = browser.new_page(viewport={"width": 1100, "height": 1400})
        page.set_default_timeout(15_000)
        stack.callback(page.close)
        page.goto(slack.url)
        page.get_by_text("ml-costs").first.click()
        yield Office(made, slack, page, bell, door, line)


def _house(folder: Path, slack: SlackServer, stack: ExitStack) -> House:
    config_folder = folder / "config"
    config_folder.mkdir()
    (config_folder / "budgets.yaml").write_text(BUDGETS)
    (config_folder / "prices.yaml").write_text(PRICES)
    (config_folder / "alerter.yaml").write_text(
        'receivers: [{name: ml-costs, slack: {channel: "#ml-costs"}}]\n'
        f'slack: {{base_url: "{slack.base_url}"}}\n'
        'sources: [{name: main, tracking_uri: "http://127.0.0.1:9"}]\n'
    )
    config = load(config_folder, {"SLACK_BOT_TOKEN": slack.token, "SLACK_APP_TOKEN": slack.app_token})
    store = Store(f"sqlite:///{folder / 'alerter.db'}")
    stack.callback(store.close)
    migrate(store)
    source = FakeSource()
    made = House(config, store, source, services_of(config, store, source, NOW))
    made.cycle(NOW)
    return made


@contextmanager
def _line_to(slack: SlackServer) -> Iterator[TcpProxy]:
    """Run a proxy before a workspace, whose own address in the answers becomes the proxy's."""
    port = slack.url.rpartition(":")[2]
    with proxied(("127.0.0.1", int(port))) as line:
        line.answered = lambda data: data.replace(f":{port}/socket/".encode(), f":{line.port}/socket/".encode())
        yield line


@contextmanager
def _delivering(made: House, bell: Bell) -> Iterator[None]:
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
