"""Commands and buttons from a Slack that we didn't write: by Socket Mode, and by signed HTTP."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from alerter.slack_requests.answers import Answers
from alerter.slack_requests.policy import Policy
from alerter.slack_requests.socket_mode import SocketModeDoor
from alerter.web.app import create_app
from alerter.web.server import WebServer
from tests.fixtures.slack_emulator import LOCAL_SIGNING_SECRET, SlackServer, free_port, serve_local_slack
from tests.fixtures.window_data import FakeDesk, services
from tests.plugins.parts import LOCAL_SLACK

pytestmark = pytest.mark.needs_local_slack

ANNA = "slack:U01ANNA (anna)"


@dataclass
class Door:
    """A daemon's side of a workspace: the desk that was asked, and the workspace."""

    desk: FakeDesk
    slack: SlackServer

    def command(self, text: str) -> str:
        """Type a command as Anna; return the ephemeral answer that she sees."""
        before = len(self._answers())
        body = {"appId": self.slack.app_id, "channel": "C01COST", "user": "U01ANNA", "command": "/budget", "text": text}
        self.slack.control("command", body)
        eventually(lambda: len(self._answers()) > before)
        return str(self._answers()[-1]["text"])

    def press(self, value: str, action_id: str = "ack") -> dict[str, Any]:
        """Post an alert with a button, press it as Anna; return the alert."""
        from slack_sdk import WebClient  # noqa: PLC0415

        client = WebClient(self.slack.token, base_url=self.slack.base_url)
        element = {
            "type": "button",
            "action_id": action_id,
            "text": {"type": "plain_text", "text": "A"},
            "value": value,
        }
        blocks = [{"type": "actions", "block_id": "b1", "elements": [element]}]
        alert = client.chat_postMessage(channel="C01COST", text="vision 81 % used", blocks=blocks)
        action = {"type": "button", "action_id": action_id, "block_id": "b1", "value": value}
        self.slack.control(
            "interact", {"channel": "C01COST", "messageTs": alert["ts"], "user": "U01ANNA", "action": action}
        )
        return {"ts": alert["ts"], "blocks": blocks}

    def shown(self) -> list[dict[str, Any]]:
        """Return what stands in the channel, as its people see it."""
        messages: list[dict[str, Any]] = self.slack.control("messages/C01COST")["messages"]
        return messages

    def _answers(self) -> list[dict[str, Any]]:
        return [each for each in self.shown() if each.get("ephemeral_to") == "U01ANNA"]


def eventually(true: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@contextmanager
def by_socket(slack: SlackServer) -> Iterator[tuple[Door, SocketModeDoor]]:
    desk = FakeDesk()
    answers = Answers(desk, Policy, base_url=slack.base_url)
    door = SocketModeDoor(slack.app_token, answers, base_url=slack.base_url, ping_s=1)
    door.start()
    try:
        eventually(door.healthy)
        yield Door(desk, slack), door
    finally:
        door.stop()
        answers.close()


@contextmanager
def by_http(folder: Path) -> Iterator[Door]:
    desk = FakeDesk()
    port = free_port()
    with serve_local_slack(folder, f"http://127.0.0.1:{port}/slack/commands") as slack, ExitStack() as stack:
        answers = Answers(desk, Policy, base_url=slack.base_url)
        stack.callback(answers.close)
        windows = replace(services(), answers=answers, signing_secret=lambda: LOCAL_SIGNING_SECRET, clock=time.time)
        server = WebServer(create_app(windows), "127.0.0.1", port)
        server.start()
        stack.callback(server.stop)
        yield Door(desk, slack)


@pytest.fixture(params=["socket", "http"])
def door(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Door]:
    with ExitStack() as stack:
        if request.param == "http":
            yield stack.enter_context(by_http(tmp_path))
        else:
            slack = stack.enter_context(serve_local_slack(tmp_path))
            yield stack.enter_context(by_socket(slack))[0]


def test_a_command_and_a_button_do_the_same_whichever_way_they_come(door: Door) -> None:
    assert door.command("ack A-7F3K -- on it") == "✅ Acknowledged A-7F3K: quiet until the next threshold."
    assert door.desk.calls == [("ack", "A-7F3K", ANNA, "slack", "on it", None)]
    assert "*gpu-spike*" in door.command("")
    assert "Did you mean `status`?" in door.command("statsu")

    alert = door.press("A-7F3K")
    eventually(lambda: len(door.desk.calls) == 2)
    assert door.desk.calls[1] == ("ack", "A-7F3K", ANNA, "slack", "", None)
    eventually(lambda: sum("Acknowledged A-7F3K" in each.get("text", "") for each in door.shown()) == 2)
    # The alert itself is not touched: its new state is shown by whoever delivers it.
    (shown,) = [each for each in door.shown() if each["ts"] == alert["ts"]]
    assert shown["text"] == "vision 81 % used"


def test_nobody_else_sees_an_answer(door: Door) -> None:
    door.command("list over 80")
    assert all(each["ephemeral_to"] == "U01ANNA" for each in door.shown())


def test_a_button_that_only_opens_a_page_asks_nothing(door: Door) -> None:
    door.press("", action_id="open")
    door.command("help")
    assert not door.desk.calls


def test_the_socket_is_cut_and_comes_back(tmp_path: Path) -> None:
    from tests.fixtures.slack_emulator import _running  # noqa: PLC0415

    with serve_local_slack(tmp_path) as slack:
        port = slack.url.rpartition(":")[2]
        stack = ExitStack()
        talk, door = stack.enter_context(by_socket(slack))
        assert talk.command("help")
    with stack:
        eventually(lambda: not door.healthy())
        assert door.problem()
        command = [str(LOCAL_SLACK), "--config", str(tmp_path / "local-slack.json"), "--port", port]
        command += ["--base-host", "127.0.0.1", "--files-dir", str(tmp_path / "files2")]
        with _running(command, tmp_path / "second.log", f"{slack.url}/_control/state"):
            eventually(door.healthy, 20)
            assert talk.command("ack A-7F3K").startswith("✅")
            assert door.problem() == ""


def test_a_server_that_falls_silent_counts_as_gone(tmp_path: Path) -> None:
    """A frozen process keeps its connections open, like a network that drops packets."""
    import os  # noqa: PLC0415
    import signal  # noqa: PLC0415
    import subprocess  # noqa: PLC0415

    with serve_local_slack(tmp_path) as slack, by_socket(slack) as (talk, door):
        door.patience_s = 2
        found = subprocess.run(["pgrep", "-f", str(tmp_path / "local-slack.json")], capture_output=True, check=True)
        process = int(found.stdout.split()[0])
        os.kill(process, signal.SIGSTOP)
        try:
            eventually(lambda: not door.healthy())
            assert "no sign of life" in door.problem()
        finally:
            os.kill(process, signal.SIGCONT)
        eventually(door.healthy, 30)
        assert talk.command("help")


def test_stopping_is_quick_whatever_the_connection_does(tmp_path: Path) -> None:
    with serve_local_slack(tmp_path) as slack, by_socket(slack) as (_, door):
        started = time.monotonic()
        door.stop()
        assert time.monotonic() - started < 4
        assert not door.healthy()
    nowhere = SocketModeDoor("xapp-s3cret", Answers(FakeDesk(), Policy), base_url=slack.base_url)
    nowhere.start()
    eventually(lambda: "can't be reached" in nowhere.problem())
    started = time.monotonic()
    nowhere.stop()
    assert time.monotonic() - started < 4
