"""A certificate that expires: nothing is sent past it, the operators hear of it once, a renewed one is enough."""

from __future__ import annotations

import io
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from alerter.core.ports import Notifier, SourceError
from alerter.notifiers.console import ConsoleNotifier
from alerter.notifiers.email import EmailNotifier
from alerter.notifiers.webhook import WebhookNotifier
from alerter.sources.mlflow_rest import MlflowRestSource
from tests.deciding.tools import PRICES, at, costs
from tests.faults.days import Days
from tests.fixtures.http_receiver import HttpReceiver, serve_http
from tests.fixtures.smtp_server import Certificates, serve_smtp
from tests.sources.poller import Poller
from tests.sources.scripted import ScriptedServer
from tests.truth.ledgers import MINUTE, config_of, house

NOW = at("2026-11-23 09:00")
ALERTER = """
sources: [{name: main, tracking_uri: http://127.0.0.1:5000}]
receivers:
  - {name: ops, console: {}}
  - {name: mail, email: {to: [costs@example.com]}}
  - {name: hook, webhook: {url: "%s/costs", secret: HOOK_SECRET}}
email: {host: 127.0.0.1, from: budgets@example.com}
operators: ops
"""
BUDGETS = """
defaults: {timezone: Europe/Berlin, thresholds: [80%, 100%]}
budgets: [{name: one, amount: "100", period: monthly, receivers: [mail, hook]}]
"""


class Authority:
    """An authority that a client trusts, and a server's certificate of it: expired until it is renewed."""

    def __init__(self, folder: Path) -> None:
        self.ca = trustme.CA()
        self.ca_file = folder / "ca.pem"
        self.ca.cert_pem.write_to_path(str(self.ca_file))
        self.server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.client = ssl.create_default_context(cafile=str(self.ca_file))
        self.ca.issue_cert("127.0.0.1", not_after=datetime(2020, 1, 1, tzinfo=UTC)).configure_cert(self.server)

    def renew(self) -> None:
        self.ca.issue_cert("127.0.0.1").configure_cert(self.server)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def hook(authority: Authority) -> Iterator[HttpReceiver]:
    with serve_http(HttpReceiver(authority.client), authority.server) as server:
        yield server


def test_mail_and_webhook_wait_for_the_renewal(
    tmp_path: Path, migrated_sqlite: Path, authority: Authority, hook: HttpReceiver
) -> None:
    printed, trust = io.StringIO(), Certificates(authority.ca_file, authority.client, authority.server)
    config = config_of(tmp_path / "config", BUDGETS, PRICES, ALERTER % hook.url)
    with serve_smtp(trust, "starttls", auth=False) as smtp, house(config, migrated_sqlite, NOW) as home:
        notifiers: dict[str, Notifier] = {
            "console": ConsoleNotifier(printed),
            "email": EmailNotifier("127.0.0.1", smtp.port, sender="budgets@example.com", tls=authority.client),
            "webhook": WebhookNotifier({"HOOK_SECRET": "a-made-up-secret-of-some-length"}, tls=authority.client),
        }
        days = Days(home, notifiers, NOW)
        days.go(5)
        home.source.put(costs("r1", 90, NOW + MINUTE))
        days.go(120)
        assert (smtp.mails, hook.requests) == ([], [])
        for kind in ("email", "webhook"):
            assert printed.getvalue().count(f"by {kind}: no trusted TLS with 127.0.0.1") == 1
        assert printed.getvalue().count("certificate has expired") == 2

        authority.renew()
        days.go(60)
        assert (len(smtp.mails), len(hook.requests)) == (1, 1)
        assert {each.status for each in days.outbox()} == {"sent"}


def test_a_source_is_read_again_once_it_is_renewed(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(authority.ca_file))
    with ScriptedServer(authority.server) as server:
        poller = Poller(MlflowRestSource(name="main", tracking_uri=server.uri, back_off_s=0.01))
        with pytest.raises(SourceError, match=r"could not be trusted: certificate has expired\. Renew its certificate"):
            poller.poll()
        authority.renew()
        assert poller.poll().swept
