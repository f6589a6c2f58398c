"""The page's server, and the door that Slack comes through: HTTP beside the page, or Socket Mode."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

from alerter.config import Config
from alerter.daemon.present import Present
from alerter.desk import FrontDesk
from alerter.metrics import Metrics
from alerter.slack_requests.answers import Answers
from alerter.slack_requests.policy import Policy
from alerter.slack_requests.socket_mode import SocketModeDoor
from alerter.web.app import create_app
from alerter.web.auth import exposure_warning
from alerter.web.server import WebServer
from alerter.web.wiring import Surroundings, web_services

log = logging.getLogger(__name__)

SOCKET_CLOSES_S = 5.0
PAGE_CLOSES_S = 6.0
ANSWERS_END_S = 5.0

Remaining = Callable[[float], float]
"""Given how long something may take to end, how long it may now."""


class Windows:
    """What can be seen and asked of the daemon from outside."""

    def __init__(
        self, present: Present, started: Config, metrics: Metrics, clock: Callable[[], int], role: Callable[[], str]
    ) -> None:
        self._present = present
        self._started = started
        self._metrics = metrics
        self._clock = clock
        self._role = role
        self._door: SocketModeDoor | None = None
        self.url = ""

    def open(
        self,
        stack: ExitStack,
        remaining: Remaining,
        *,
        problems: Callable[[], Sequence[str]],
        late: Callable[[], Sequence[str]],
        changed: Callable[[], None],
    ) -> None:
        """Serve the page and let Slack in until ``stack`` closes.

        Args:
            stack: gets what must end.
            remaining: see `Remaining`.
            problems: see `Surroundings`.
            late: see `Surroundings`.
            changed: called when an acknowledgement changed what messages show.

        Raises:
            WebServerError: the address can't be listened on.
        """
        slack = self._started.slack
        base_url = slack.base_url.rstrip("/") + "/"
        desk = FrontDesk(self._present.services, self._clock, changed)
        answers = Answers(desk, self._policy, base_url=base_url)
        stack.callback(lambda: answers.close(remaining(ANSWERS_END_S)))
        by_http = answers if slack.mode == "http" else None
        around = Surroundings(self._clock, self._metrics, problems, late, by_http, self._role)
        web = self._started.web
        server = WebServer(create_app(web_services(self._present.services, around)), web.host, web.port)
        server.start()
        stack.callback(lambda: server.stop(remaining(PAGE_CLOSES_S)))
        self.url = web.public_url or server.url
        token = self._started.secrets.slack_app_token
        if slack.mode == "socket" and token is not None:
            door = self._door = SocketModeDoor(token.get_secret_value(), answers, base_url=base_url)
            door.start()
            stack.callback(lambda: door.stop(remaining(SOCKET_CLOSES_S)))

    def look(self) -> None:
        """Bring what `/metrics` says of the door up to date."""
        if self._door is not None:
            self._metrics.set_socket_up(self._door.healthy())

    def problems(self) -> Iterator[str]:
        """Yield what keeps people from asking or answering, and what lets in more of them than it should."""
        config = self._present.services().config
        token = config.secrets.alerter_web_token
        warning = exposure_warning(self._started.web.host, token.get_secret_value() if token else None)
        if warning:
            yield warning
        if self._door is not None and (problem := self._door.problem()):
            yield f"Slack's commands and buttons don't arrive: {problem}"
        if not any("slack" in each.channels for each in config.receivers):
            return
        if config.secrets.slack_bot_token is None:
            yield "SLACK_BOT_TOKEN is not set: messages to Slack can't be sent; set it and restart"
        if self._started.slack.mode == "socket" and self._door is None:
            yield "SLACK_APP_TOKEN is not set: Slack's commands and buttons don't work; set it and restart"
        if self._started.slack.mode == "http" and config.secrets.slack_signing_secret is None:
            yield "SLACK_SIGNING_SECRET is not set: Slack's commands and buttons are refused; set it and reload"

    def _policy(self) -> Policy:
        slack = self._present.services().config.slack
        return Policy(
            teams=frozenset(slack.allowed_teams),
            channels=frozenset(slack.allowed_channels),
            users=frozenset(slack.allowed_users),
            own_budgets_only=slack.own_budgets_only,
        )
