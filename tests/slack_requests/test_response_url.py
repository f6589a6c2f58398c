import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from alerter.core.views import BudgetStatus
from alerter.slack_requests.answers import BUSY, MOST_PENDING, SLACK_API, Answers
from alerter.slack_requests.policy import Policy
from alerter.slack_requests.reply import say
from alerter.slack_requests.response_url import is_allowed, post
from tests.fixtures.window_data import FakeDesk


@pytest.mark.parametrize(
    ("url", "base_url", "allowed"),
    [
        ("https://hooks.slack.com/commands/T1/2/x", SLACK_API, True),
        ("https://hooks.slack-gov.com/commands/T1/2/x", SLACK_API, True),
        ("http://hooks.slack.com/commands/T1/2/x", SLACK_API, False),
        ("https://hooks.slack.com:8443/x", SLACK_API, False),
        ("https://hooks.slack.com@169.254.169.254/x", SLACK_API, False),
        ("https://user:pw@hooks.slack.com/x", SLACK_API, False),
        ("https://hooks.slack.com.evil.example/x", SLACK_API, False),
        ("https://evil.example/hooks.slack.com", SLACK_API, False),
        ("http://169.254.169.254/latest/meta-data", SLACK_API, False),
        ("file:///etc/passwd", SLACK_API, False),
        ("https://[::1", SLACK_API, False),
        ("https://hooks.slack.com:port/x", SLACK_API, False),
        ("", SLACK_API, False),
        ("http://127.0.0.1:4302/_hooks/response/1", "http://127.0.0.1:4302/api/", True),
        ("http://127.0.0.1:4303/_hooks/response/1", "http://127.0.0.1:4302/api/", False),
        ("http://a@127.0.0.1:4302/_hooks", "http://127.0.0.1:4302/api/", False),
    ],
)
def test_answers_go_to_slack_only(url: str, base_url: str, *, allowed: bool) -> None:
    assert is_allowed(url, base_url) == allowed


class Scripted(BaseHTTPRequestHandler):
    """Answers with the statuses of its script, the last one for ever."""

    script: ClassVar[list[int]] = []
    paths: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.paths.append(self.path)
        status = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        self.send_response(status)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST  # noqa: N815 - a redirected POST would come as one

    def log_message(self, *_args: object) -> None:
        pass


@pytest.mark.parametrize(
    ("script", "taken", "tries"),
    [
        ([200], True, 1),
        ([500, 200], True, 2),
        ([500], False, 2),
        ([404], False, 1),
        ([302], False, 1),
        ([307], False, 1),
    ],
)
def test_it_is_posted_at_most_twice_and_never_elsewhere(
    script: list[int], *, taken: bool, tries: int, caplog: pytest.LogCaptureFixture
) -> None:
    Scripted.script[:], Scripted.paths[:] = script, []
    server = HTTPServer(("127.0.0.1", 0), Scripted)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    base = f"http://127.0.0.1:{server.server_port}/"
    try:
        assert post(f"{base}s3cret", say("hello"), f"{base}api/") == taken
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert Scripted.paths == ["/s3cret"] * tries
    assert "s3cret" not in caplog.text
    assert bool(caplog.text) != taken


def test_a_server_that_is_gone_loses_the_answer_but_nothing_else() -> None:
    with HTTPServer(("127.0.0.1", 0), Scripted) as server:
        base = f"http://127.0.0.1:{server.server_port}/"
    assert post(f"{base}x", say("hello"), base) is False


class StuckDesk(FakeDesk):
    free = threading.Event()

    def status(self, name: str | None) -> list[BudgetStatus]:
        self.free.wait(30)
        return []


def test_a_flood_is_turned_away_and_what_has_begun_is_finished() -> None:
    desk = StuckDesk()
    answers = Answers(desk, Policy)
    begun = [answers.command({"text": "status"}) for _ in range(MOST_PENDING)]
    assert answers.command({"text": "status"}).result(1) is BUSY
    desk.free.set()
    answers.close(10)
    assert all(work.result(0) for work in begun)
