"""How messages get to Slack: over connections that are shared, trusted, and led through a proxy where there is one."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest

from alerter.core.ports import DeliveryDelayedError, Target
from alerter.notifiers.slack import SlackNotifier
from alerter.notifiers.slack.http import IDLE_S
from tests.fixtures.http_receiver import HttpReceiver, serve_http
from tests.fixtures.scripted_slack import ScriptedSlack
from tests.fixtures.slack_emulator import free_port
from tests.fixtures.smtp_server import Certificates
from tests.fixtures.tunnel import a_tunnel
from tests.notifiers.samples import message
from tests.notifiers.test_slack import TARGET, TOKEN, Clock, notifier


@pytest.fixture
def over_tls(smtp_certificates: Certificates) -> Iterator[HttpReceiver]:
    body = '{"ok": true, "channel": "C01COST", "ts": "1.1"}'
    made = HttpReceiver(smtp_certificates.client, status=200, body=body)
    with serve_http(made, smtp_certificates.server):
        yield made


def send(server: HttpReceiver, base: str = "/api/") -> None:
    SlackNotifier(TOKEN, base_url=f"{server.url}{base}", timeout=2).send(TARGET, message(), {}, "k")


def test_messages_that_follow_each_other_share_a_connection(scripted_slack: ScriptedSlack) -> None:
    clock = Clock()
    slack = notifier(scripted_slack, clock=lambda: clock.now)
    for pause in (0.0, IDLE_S, IDLE_S + 0.1):
        clock.now += pause
        slack.send(TARGET, message(), {}, "k")
    first, second, third = scripted_slack.connections
    assert first == second
    assert third != first  # nobody knows what became of one that was idle for long


def test_messages_that_begin_together_leave_their_connections_to_those_that_follow(
    scripted_slack: ScriptedSlack,
) -> None:
    slack, together = notifier(scripted_slack), Barrier(4)

    def post(number: int) -> None:
        together.wait(30)
        slack.send(Target("ml", {"channel": f"C{number}"}), message(), {}, f"k{number}")

    with ThreadPoolExecutor(4) as workers:
        for _ in range(2):
            list(workers.map(post, range(4)))
    assert len(scripted_slack.connections) == 8
    assert len(set(scripted_slack.connections)) <= 4


def test_a_connection_that_slack_has_closed_takes_no_message(scripted_slack: ScriptedSlack) -> None:
    scripted_slack.otherwise = replace(scripted_slack.otherwise, leave=True)
    slack = notifier(scripted_slack)
    for _ in range(3):
        scripted_slack.left.clear()
        slack.send(TARGET, message(), {}, "k")
        assert scripted_slack.left.wait(30)
    assert len(set(scripted_slack.connections)) == 3


def test_nothing_is_sent_to_whom_nobody_vouches_for(
    over_tls: HttpReceiver, smtp_certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DeliveryDelayedError, match=r"certificate is not trusted .*set SSL_CERT_FILE"):
        send(over_tls)
    assert over_tls.requests == []
    monkeypatch.setenv("SSL_CERT_FILE", str(smtp_certificates.ca_file))
    send(over_tls)
    send(over_tls, "/api")
    posted, other = over_tls.requests
    assert posted.path == other.path == "/api/chat.postMessage"
    assert posted.headers["Authorization"] == f"Bearer {TOKEN}"


def test_a_proxy_of_the_environment_is_used(
    over_tls: HttpReceiver, smtp_certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(smtp_certificates.ca_file))
    with a_tunnel(over_tls.port, monkeypatch) as asked:
        send(over_tls)
    assert len(over_tls.requests) == 1
    assert asked[0].startswith(f"CONNECT 127.0.0.1:{over_tls.port} HTTP/1.")
    assert "proxy-authorization: basic bwu6cgfzcw==" in asked[0].lower()
    assert TOKEN not in asked[0]


def test_a_proxy_that_is_away_has_certainly_not_delivered(
    over_tls: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{free_port()}")
    with pytest.raises(DeliveryDelayedError, match=r"\(connection refused\); check the proxy in between"):
        send(over_tls)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(DeliveryDelayedError, match="certificate is not trusted"):
        send(over_tls)
