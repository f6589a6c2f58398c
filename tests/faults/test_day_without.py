"""MLflow, Slack and the mail server gone for a day: one notice each, and all of it made up for without a restart."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import pytest

from alerter.core.ports import Notifier
from alerter.notifiers.console import ConsoleNotifier
from alerter.notifiers.email import EmailNotifier
from alerter.notifiers.slack import SlackNotifier
from alerter.verify import verify_ledger
from tests.deciding.tools import PRICES, at, costs
from tests.faults.days import Days
from tests.fixtures.scripted_slack import ScriptedSlack
from tests.fixtures.slack_emulator import free_port
from tests.fixtures.smtp_server import SmtpStarter
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


def test_a_source_that_is_gone_for_a_day_is_told_once_and_once_again(tmp_path: Path, migrated_sqlite: Path) -> None:
    printed = io.StringIO()
    config = config_of(
        tmp_path / "config", BUDGETS.replace("[chat]", "[ops]").replace("[mail]", "[ops]"), PRICES, ALERTER
    )
    with house(config, migrated_sqlite, NOW) as home:
        days = Days(home, {"console": ConsoleNotifier(printed)}, NOW)
        days.go(60)
        home.source.fails_after = 0
        home.source.put(costs("late", 90, NOW + HOUR))
        days.go(DAY_MINUTES)
        assert printed.getvalue().count("main can't be read") == 1
        assert "used" not in printed.getvalue()
        home.source.fails_after = None
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
