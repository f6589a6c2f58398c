"""A Socket Mode that Slack doesn't open: why is said with the remedy, and it is tried again as Slack asks."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from alerter.slack_requests.answers import Answers
from alerter.slack_requests.policy import Policy
from alerter.slack_requests.socket_mode import SocketModeDoor
from tests.fixtures.scripted_slack import ScriptedSlack, Step
from tests.fixtures.window_data import FakeDesk

TOKEN = "xapp-1-s3cret"


@contextmanager
def opened(slack: ScriptedSlack) -> Iterator[SocketModeDoor]:
    answers = Answers(FakeDesk(), Policy, base_url=slack.base_url)
    door = SocketModeDoor(TOKEN, answers, base_url=slack.base_url)
    door.start()
    try:
        yield door
    finally:
        door.stop()
        answers.close()


def wait_for(door: SocketModeDoor, words: str) -> None:
    deadline = time.monotonic() + 10
    while words not in door.problem():
        assert time.monotonic() < deadline, door.problem()
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (Step(200, {"ok": False, "error": "invalid_auth"}), "invalid_auth: SLACK_APP_TOKEN is wrong"),
        (Step(200, {"ok": False, "error": "not_allowed_token_type"}), "must be an app-level token"),
        (Step(200, {"ok": False, "error": "missing_scope"}), "connections:write"),
        (Step(200, {"ok": False, "error": "internal_error"}), "Slack says internal_error"),
        (Step(503, "<html>down</html>"), "Slack"),
        (Step(200, "no json"), "Slack"),
        (Step(200, {"ok": True}), "can't be reached"),
        (Step(drop=True), "can't be reached"),
        (Step(200, {"ok": True, "url": "ws://127.0.0.1:1/"}), "did not open"),
    ],
)
def test_the_reason_is_told_and_the_token_is_not(
    scripted_slack: ScriptedSlack, step: Step, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    scripted_slack.otherwise = step
    with opened(scripted_slack) as door:
        wait_for(door, words)
        assert not door.healthy()
        assert "s3cret" not in door.problem()
    assert "s3cret" not in caplog.text


def test_it_waits_as_long_as_slack_asks(scripted_slack: ScriptedSlack) -> None:
    limited = {"ok": False, "error": "ratelimited"}
    scripted_slack.otherwise = Step(429, limited, {"Retry-After": "30"})
    with opened(scripted_slack) as door:
        wait_for(door, "ratelimited")
        time.sleep(1.5)  # the first back-off is over by then
        assert len(scripted_slack.asked("apps.connections.open")) == 1


def test_it_tries_again_after_a_short_failure(scripted_slack: ScriptedSlack) -> None:
    scripted_slack.otherwise = Step(500, {"ok": False, "error": "internal_error"})
    with opened(scripted_slack):
        deadline = time.monotonic() + 10
        while len(scripted_slack.asked("apps.connections.open")) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.02)
