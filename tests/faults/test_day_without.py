"""MLflow, Slack and the mail server gone for a day: one notice each, and all of it made up for without a restart."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from alerter.core.ports import Notifier
from alerter.notifiers.console import ConsoleNotifier
from alerter.notifiers.email import EmailNotifier
from alerter.notifiers.slack import SlackNotifier
from alerter.sources.mlflow_rest import MlflowRestSource
from alerter.verify import verify_ledger
from tests.deciding.tools import PRICES, at, costs
from tests.faults.days import Days
from tests.fixtures.mlflow_server import MlflowServer
from tests.fixtures.scripted_slack import ScriptedSlack
from tests.fixtures.slack_emulator import free_port
from tests.fixtures.smtp_server import SmtpStarter
from tests.fixtures.tcp_proxy import TcpProxy
from tests.truth.ledgers import HOUR, MINUTE, config_of, house

NOW = at("2026-11-23 09:00")
DAY_MINUTES = 24 * 60
ALERTER = """
sources: [{name: main, tracking_uri: http://127.0.0.1:5000}]
receivers:
  - {name: ops, console: {}}
  - {name: chat, slack: {channel: "#costs"}}
  - {name: mail, email: {to: [costs@example.com]}}
email: {host: 127.0.0.1, from: budgets@example.com}
operators: ops
"""
BUDGETS = """
defaults: {timezone: Europe/Berlin, thresholds: [80%, 100%]}
budgets:
  - {name: chats, amount: "100", period: monthly, receivers: [chat]}
  - {name: mails, amount: "100", period: monthly, receivers: [mail]}
"""


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)  # a line for each of some hundred attempts


def test_a_source_that_is_gone_for_a_day_is_told_once_and_once_again(
    tmp_path: Path,
    migrated_sqlite: Path,
    mlflow_server: MlflowServer,
    tcp_proxy: Callable[[tuple[str, int] | str], TcpProxy],
) -> None:
    printed, experiment = io.StringIO(), mlflow_server.experiment()
    line = tcp_proxy(("127.0.0.1", urlsplit(mlflow_server.uri).port or 0))
    only = mlflow_server.experiment_name(experiment)
    source = MlflowRestSource(
        name="main",
        tracking_uri=f"http://127.0.0.1:{line.port}",
        include=[only],
        usage_keys=frozenset({"instance_type"}),
        back_off_s=0.01,
    )
    everything = BUDGETS.replace("[chat]", "[ops]").replace("[mail]", "[ops]")
    config = config_of(tmp_path / "config", everything, PRICES, ALERTER)
    with house(config, migrated_sqlite, NOW) as home:
        home.services = replace(home.services, sources=[source])
        days = Days(home, {"console": ConsoleNotifier(printed)}, NOW)
        days.go(60)
        line.cut()
        mlflow_server.ended_run(experiment, NOW - 8 * HOUR, NOW + HOUR, params={"instance_type": "m5.xlarge"})
        days.go(DAY_MINUTES)
        assert printed.getvalue().count("main can't be read") == 1
        assert "used" not in printed.getvalue()
        line.restore()
        days.go(120)
        assert printed.getvalue().count("main is back") == 1
        assert [printed.getvalue().count(f"{name} ·") for name in ("chats", "mails")] == [1, 1]
        assert {each.status for each in days.outbox()} == {"sent"}
        with home.services.windows.read() as view:
            assert verify_ledger(view).ok


def test_slack_and_mail_gone_for_a_day_deliver_once_when_they_are_back(
    tmp_path: Path, migrated_sqlite: Path, start_smtp_server: SmtpStarter, scripted_slack: ScriptedSlack
) -> None:
    printed = io.StringIO()
    config = config_of(tmp_path / "config", BUDGETS, PRICES, ALERTER)
    gone = free_port()
    with house(config, migrated_sqlite, NOW) as home:
        away: dict[str, Notifier] = {
            "console": ConsoleNotifier(printed),
            "slack": SlackNotifier("xoxb-1", base_url=f"http://127.0.0.1:{gone}/api/", pace=0.0, backoff=0.0),
            "email": EmailNotifier("127.0.0.1", gone, sender="budgets@example.com", starttls=False),
        }
        days = Days(home, away, NOW)
        days.go(1)
        home.source.put(costs("r1", 90, NOW + MINUTE))
        days.go(DAY_MINUTES)
        kinds = [(each.kind, each.status) for each in days.outbox()]
        assert kinds == [("slack", "pending"), ("email", "pending"), ("console", "sent"), ("console", "sent")]
        assert printed.getvalue().count("Not delivered to chat by slack") == 1
        assert printed.getvalue().count("Not delivered to mail by email") == 1

        smtp = start_smtp_server("none", auth=False)
        days.notifiers = {
            **away,
            "slack": SlackNotifier("xoxb-1", base_url=scripted_slack.base_url, pace=0.0, backoff=0.0),
            "email": EmailNotifier("127.0.0.1", smtp.port, sender="budgets@example.com", starttls=False),
        }
        days.go(30)
        assert len(smtp.mails) == 1
        assert len(scripted_slack.asked("chat.postMessage")) == 1
        assert {each.status for each in days.outbox()} == {"sent"}
