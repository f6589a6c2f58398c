"""Slack's HTTP requests as Slack signs them, and as others forge them."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar
from urllib.parse import urlencode

import httpx2
import pytest
from slack_sdk.signature import SignatureVerifier

from alerter.core.views import BudgetStatus
from alerter.slack_requests.answers import Answers
from alerter.slack_requests.policy import Policy
from alerter.web.services import WebServices
from tests.fixtures.window_data import BUDGETS, NOW_MS, SECRET, FakeDesk, services
from tests.web.conftest import Serve

NOW_S = NOW_MS // 1000
COMMAND = {"command": "/budget", "text": "ack A-7F3K", "user_id": "U01ANNA", "user_name": "anna", "team_id": "T1"}
ROUTES = ("/slack/commands", "/slack/interactions")


class Inbox(BaseHTTPRequestHandler):
    """Stands for hooks.slack.com: keeps what is posted to a response_url."""

    posts: ClassVar[list[dict[str, Any]]] = []
    came = threading.Event()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.posts.append(json.loads(body))
        self.came.set()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def inbox() -> Iterator[str]:
    Inbox.posts.clear()
    Inbox.came.clear()
    server = HTTPServer(("127.0.0.1", 0), Inbox)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk()


def windows(desk: FakeDesk, **more: object) -> WebServices:
    values: dict[str, Any] = {
        "answers": Answers(desk, Policy),
        "signing_secret": lambda: SECRET,
    }
    values.update(more)
    return replace(services(), **values)


def signed(body: bytes, *, at: int = NOW_S, secret: str = SECRET) -> dict[str, str]:
    signature = SignatureVerifier(secret).generate_signature(timestamp=str(at), body=body)
    assert signature
    return {
        "X-Slack-Request-Timestamp": str(at),
        "X-Slack-Signature": signature,
        "Content-Type": "application/x-www-form-urlencoded",
    }


def form(**fields: str) -> bytes:
    return urlencode(fields).encode()


def button(**more: object) -> bytes:
    payload = {
        "type": "block_actions",
        "user": {"id": "U01ANNA", "username": "anna"},
        "actions": [{"action_id": "ack", "value": "A-7F3K"}],
        **more,
    }
    return form(payload=json.dumps(payload))


@pytest.mark.parametrize("route", ROUTES)
def test_a_signed_command_is_answered_in_the_response(serve: Serve, desk: FakeDesk, route: str) -> None:
    body = form(**COMMAND)
    answer = serve(windows(desk)).post(route, content=body, headers=signed(body))
    assert answer.status_code == 200
    assert answer.json()["response_type"] == "ephemeral"
    assert answer.json()["text"] == "✅ Acknowledged A-7F3K: quiet until the next threshold."
    assert desk.calls == [("ack", "A-7F3K", "slack:U01ANNA (anna)", "slack", "", None)]


@pytest.mark.parametrize("route", ROUTES)
def test_a_pressed_button_is_answered_through_its_response_url(
    serve: Serve, desk: FakeDesk, route: str, inbox: str
) -> None:
    body = button(response_url=f"{inbox}actions/T1/1/x")
    client = serve(windows(desk, answers=Answers(desk, Policy, base_url=f"{inbox}api/")))
    answer = client.post(route, content=body, headers=signed(body))
    assert (answer.status_code, answer.content) == (200, b"")
    assert Inbox.came.wait(5)
    (post,) = Inbox.posts
    assert post["text"].startswith("✅ Acknowledged A-7F3K")
    assert (post["response_type"], post["replace_original"]) == ("ephemeral", False)


@pytest.mark.parametrize("age", [0, 299, -299])
def test_a_signature_lives_for_300_seconds(serve: Serve, desk: FakeDesk, age: int) -> None:
    body = form(**COMMAND)
    assert serve(windows(desk)).post(ROUTES[0], content=body, headers=signed(body, at=NOW_S - age)).status_code == 200


BODY = form(**COMMAND)
GOOD = signed(BODY)


def but(**changed: str) -> dict[str, str]:
    names = {"at": "X-Slack-Request-Timestamp", "by": "X-Slack-Signature"}
    return {**GOOD, **{names[key]: value for key, value in changed.items()}}


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(BODY, {}, id="unsigned"),
        pytest.param(BODY, signed(BODY, at=NOW_S - 301), id="replayed after its window"),
        pytest.param(BODY, signed(BODY, at=NOW_S + 301), id="from the future"),
        pytest.param(BODY, signed(BODY, secret="another"), id="forged with another secret"),
        pytest.param(form(**{**COMMAND, "text": "ack A-0000"}), GOOD, id="another body"),
        pytest.param(BODY, but(at=str(NOW_S + 1)), id="another time"),
        pytest.param(BODY, but(at="now"), id="a timestamp that is no number"),
        pytest.param(BODY, but(at="1e9"), id="a timestamp in floating point"),
        pytest.param(BODY, but(at="9" * 5_000), id="a timestamp of 5,000 digits"),
        pytest.param(BODY, but(at=""), id="an empty timestamp"),
        pytest.param(BODY, but(by=""), id="an empty signature"),
        pytest.param(BODY, but(by="v0="), id="half a signature"),
        pytest.param(b"\xff\xfe=1", GOOD, id="a body that is not UTF-8"),
    ],
)
def test_what_slack_did_not_sign_is_refused(
    serve: Serve, desk: FakeDesk, body: bytes, headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    client = serve(windows(desk))
    assert {client.post(route, content=body, headers=headers).status_code for route in ROUTES} == {401}
    assert not desk.calls
    assert "slack request refused" in caplog.text
    assert SECRET not in caplog.text
    assert "A-7F3K" not in caplog.text


def test_what_came_before_is_refused_within_the_window_too(
    serve: Serve, desk: FakeDesk, caplog: pytest.LogCaptureFixture
) -> None:
    now = [float(NOW_S)]
    client = serve(windows(desk, clock=lambda: now[0]))
    ahead = signed(BODY, at=NOW_S + 200)  # Slack's clock may be before ours
    first, late = (client.post(ROUTES[0], content=BODY, headers=each).status_code for each in (GOOD, ahead))
    assert (first, late, len(desk.calls)) == (200, 200, 2)
    for seconds in (0, 1, 299, 300, 301, 499, 500, 501):
        now[0] = NOW_S + seconds
        for headers in (GOOD, ahead):
            assert {client.post(route, content=BODY, headers=headers).status_code for route in ROUTES} == {401}
    assert len(desk.calls) == 2
    assert "it came before" in caplog.text
    assert "A-7F3K" not in caplog.text


@pytest.mark.parametrize("signature", ["v0=" + "é" * 64, "v0=\u0660"])
@pytest.mark.parametrize("header", ["X-Slack-Signature", "X-Slack-Request-Timestamp"])
def test_headers_beyond_ascii_are_refused(serve: Serve, desk: FakeDesk, header: str, signature: str) -> None:
    headers = [(key.encode(), value.encode()) for key, value in {**GOOD, header: signature}.items()]
    assert serve(windows(desk)).post(ROUTES[0], content=BODY, headers=headers).status_code == 401


@pytest.mark.parametrize("secret", [None, "", "   "])
def test_without_a_secret_nothing_is_accepted(serve: Serve, desk: FakeDesk, secret: str | None) -> None:
    answer = serve(windows(desk, signing_secret=lambda: secret)).post(ROUTES[0], content=BODY, headers=GOOD)
    assert answer.status_code == 401


def test_a_body_over_64_kib_is_refused_however_its_length_is_told(serve: Serve, desk: FakeDesk) -> None:
    client = serve(windows(desk))
    body = form(**COMMAND, more="x" * 65_536)
    assert client.post(ROUTES[0], content=body, headers=signed(body)).status_code == 413
    chunks = (body[start : start + 1_000] for start in range(0, len(body), 1_000))
    assert client.post(ROUTES[0], content=chunks, headers=signed(body)).status_code == 413
    assert not desk.calls


@pytest.mark.parametrize(
    "body", [form(payload="{"), form(payload="[1]"), b"payload=" + b"[" * 60_000, b"&".join([b"a=1"] * 500)]
)
def test_a_signed_body_that_makes_no_sense_is_a_400(serve: Serve, desk: FakeDesk, body: bytes) -> None:
    assert serve(windows(desk)).post(ROUTES[1], content=body, headers=signed(body)).status_code == 400


def test_slacks_own_probe_of_the_address_is_answered(serve: Serve, desk: FakeDesk) -> None:
    body = form(ssl_check="1", token="old")
    assert serve(windows(desk)).post(ROUTES[0], content=body, headers=signed(body)).status_code == 200


class SlowDesk(FakeDesk):
    """A database that is locked for a while."""

    free = threading.Event()

    def status(self, name: str | None) -> list[BudgetStatus]:
        assert self.free.wait(30), name
        return list(BUDGETS)


def test_a_slow_answer_is_announced_within_3_s_and_comes_later(serve: Serve, inbox: str) -> None:
    desk = SlowDesk()
    client = serve(windows(desk, answers=Answers(desk, Policy, base_url=f"{inbox}api/")))
    body = form(**{**COMMAND, "text": "status", "response_url": f"{inbox}commands/T1/2/y"})
    answer = client.post(ROUTES[0], content=body, headers=signed(body), timeout=3)
    assert answer.json()["text"].startswith("Working on it")
    assert not Inbox.posts
    desk.free.set()
    assert Inbox.came.wait(5)
    assert "gpu-spike" in Inbox.posts[0]["text"]


def test_requests_are_not_taken_where_slack_comes_by_socket(serve: Serve) -> None:
    client = serve(replace(services(), signing_secret=lambda: SECRET))
    assert client.post(ROUTES[0], content=BODY, headers=GOOD).status_code == 404


def test_no_get_reaches_the_desk(serve: Serve, desk: FakeDesk) -> None:
    client: httpx2.Client = serve(windows(desk))
    assert {client.get(route, headers=GOOD).status_code for route in ROUTES} == {405}
