"""A receiver by webhook from the first cycle to the last: told by the real outbox, and who takes over if it refuses."""

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from alerter.cli.app import app
from alerter.delivery import deliver_due
from alerter.notifiers.webhook import WebhookNotifier
from alerter.operators import fallback_of
from tests.fixtures.http_receiver import HttpReceiver, ReceiverStarter
from tests.truth.ledgers import HOUR, House, config_of, house, run

NOW_MS = int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()) * 1000
PRICES = 'catalogs: []\nprices: [{match: {instance_type: m5.xlarge}, per_instance_hour: "10"}]\n'
BUDGETS = "budgets: [{name: all, amount: '100', period: monthly, receivers: [finance]}]\n"
ALERTER = """
receivers:
  - {name: finance, webhook: {url_from: FINANCE_URL}, fallback: oncall}
  - {name: oncall, webhook: {url_from: ONCALL_URL}}
  - {name: ops, webhook: {url_from: OPS_URL}}
operators: ops
"""
SECRET = "a-secret-of-both-sides"


def work_off(home: House, notifier: WebhookNotifier) -> None:
    while deliver_due(
        home.store,
        {"webhook": notifier},
        clock=lambda: NOW_MS,
        owner="me",
        stop=threading.Event(),
        fallback=fallback_of(home.services),
    ):
        pass


@pytest.mark.parametrize(("fallback", "taker"), [(", fallback: oncall", "/oncall"), ("", "/ops")])
def test_what_is_refused_goes_to_the_fallback_or_to_the_operators(
    tmp_path: Path, migrated_sqlite: Path, start_http_receiver: ReceiverStarter, fallback: str, taker: str
) -> None:
    gone, there = start_http_receiver(), start_http_receiver()
    gone.status, gone.keep = 410, True
    urls = {"FINANCE_URL": f"{gone.url}/t0ken", "ONCALL_URL": f"{there.url}/oncall", "OPS_URL": f"{there.url}/ops"}
    notifier = WebhookNotifier({"WEBHOOK_SECRET": SECRET, **urls}, tls=gone.tls)
    alerter = ALERTER.replace(", fallback: oncall", fallback)
    runs = [run("r1", "RUNNING", NOW_MS - 11 * HOUR)]
    with house(config_of(tmp_path, BUDGETS, PRICES, alerter), migrated_sqlite, NOW_MS, runs) as home:
        home.cycle(NOW_MS)
        work_off(home, notifier)
        states = home.rows("SELECT receiver, status FROM notification ORDER BY id")
    assert states == [("finance", "dead"), (taker.removeprefix("/"), "sent")]
    assert len(gone.requests) == 1
    (handed,) = there.requests
    body = json.loads(handed.body)
    assert handed.path == taker
    assert body["title"].endswith(
        "Not delivered to finance by webhook: the address in FINANCE_URL answered 410; "
        "the address is gone: give the receiver another one"
    )
    assert body["alerts"][0]["spent"] == "110.00"
    assert body["alerts"][0]["forecast"] is not None


def test_the_configuration_wires_it(
    tmp_path: Path, migrated_sqlite: Path, start_http_receiver: ReceiverStarter
) -> None:
    server = start_http_receiver(tls=False)
    config = config_of(tmp_path, BUDGETS, PRICES, ALERTER)
    secrets = {"WEBHOOK_SECRET": SECRET, "FINANCE_URL": f"{server.url}/finance"}
    config = replace(config, receiver_secrets={name: SecretStr(value) for name, value in secrets.items()})
    with house(config, migrated_sqlite, NOW_MS, [run("r1", "RUNNING", NOW_MS - 11 * HOUR)]) as home:
        home.cycle(NOW_MS)
        notifier = home.services.notifiers["webhook"]
        assert isinstance(notifier, WebhookNotifier)
        work_off(home, notifier)
    assert [each.path for each in server.requests] == ["/finance"]


@pytest.fixture
def plain_receiver(start_http_receiver: ReceiverStarter) -> HttpReceiver:
    made = start_http_receiver(tls=False)
    made.status = 200
    return made


def test_notify_test_reaches_each_kind_and_check_says_so(
    tmp_path: Path, plain_receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receivers = """
receivers:
  - {name: finance, webhook: {url_from: FINANCE_URL}, apprise: {url_from: PAGER_URL}}
sources: [{name: main, tracking_uri: http://127.0.0.1:9}]
"""
    config_of(tmp_path / "config", BUDGETS, "catalogs: []\n", receivers)
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    missing = runner.invoke(app, ["notify-test", "finance"])
    assert missing.exit_code == 1
    assert "webhook: receiver finance: FINANCE_URL is not set; set it in the environment" in missing.output
    assert "apprise: PAGER_URL is not set; set it in the environment" in missing.output
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    monkeypatch.setenv("FINANCE_URL", f"{plain_receiver.url}/t0ken-1")
    monkeypatch.setenv("PAGER_URL", f"json://127.0.0.1:{plain_receiver.port}/t0ken-2")
    sent = runner.invoke(app, ["notify-test", "finance"])
    assert (sent.exit_code, sent.output) == (0, "webhook: sent\napprise: sent\n")
    assert [each.path for each in plain_receiver.requests] == ["/t0ken-1", "/t0ken-2"]
    checked = runner.invoke(app, ["check", "--offline"])
    assert checked.exit_code == 0
    assert "FINANCE_URL" in checked.output
    assert "t0ken" not in missing.output + sent.output + checked.output
