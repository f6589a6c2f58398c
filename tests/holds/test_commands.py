"""The commands ack, snooze, unack, alerts and audit, on a ledger that a real cycle filled."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from alerter.cli.app import app
from alerter.store.engine import Store
from alerter.store.migrate import migrate
from tests.deciding.tools import PRICES, at, budget, costs, daemon

NOW = at("2026-11-09 10:00")
ALERTER = """
sources: [{name: main, tracking_uri: http://127.0.0.1:5000}]
receivers: [{name: a, console: {}}, {name: b, group: false, console: {}}, {name: oncall, console: {}}]
"""
Command = Callable[..., str]


@pytest.fixture
def alerter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs a command at 10:05 (Berlin), in a folder with a budget that is 85 % used."""
    folder = tmp_path / "config"
    store = Store(f"sqlite:///{tmp_path / 'alerter.db'}")
    migrate(store)
    with daemon(store, folder, budget(), NOW) as home:
        home.source.put(costs("r", 85, NOW))
        home.cycle(NOW)
    store.close()
    (folder / "alerter.yaml").write_text(ALERTER, encoding="utf-8")
    (folder / "prices.yaml").write_text(PRICES, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOGNAME", "ann")

    def run(*words: str, code: int = 0) -> str:
        timed = [] if words[0] == "audit" else ["--now", "2026-11-09T09:05Z"]
        done = CliRunner().invoke(app, [*words, *timed])
        assert done.exit_code == code, (done.output, done.exception)
        return done.output

    return run


def test_snoozed_listed_taken_back_and_audited(alerter: Command) -> None:
    assert "is snoozed by ann, quiet until Mon 9 Nov 13:05" in alerter("snooze", "one", "3h", "-m", "deploying")
    listed = alerter("alerts")
    assert "snoozed by ann until Mon 9 Nov 13:05, “deploying”" in listed
    (shown,) = json.loads(alerter("alerts", "--json"))["alerts"]
    assert (shown["status"], shown["until"], shown["note"]) == ("snoozed", "Mon 9 Nov 13:05", "deploying")
    assert (shown["acknowledged_by"], shown["acknowledged_via"]) == ("ann", "cli")
    assert (shown["acknowledged_at"], shown["reason"]) == ("2026-11-09T09:05:00Z", "first")
    assert "is no longer snoozed; ann had snoozed it" in alerter("unack", "one")
    trail = json.loads(alerter("audit", "--json"))["audit"]
    assert [(each["actor"], each["via"], each["action"]) for each in trail] == [
        ("ann", "cli", "snooze"),
        ("ann", "cli", "unack"),
    ]
    assert trail[0]["detail"].endswith("until Mon 9 Nov 13:05 -- deploying")
    assert "deploying" in alerter("audit")
    assert alerter("audit", "--since", "2026-11-10") == "nothing was done since\n"


def test_acknowledged_until_another_end(alerter: Command) -> None:
    assert "quiet until $95.00 is spent" in alerter("ack", "one", "--until", "+$10")
    assert "acknowledged by ann until $95.00 is spent" in alerter("alerts")


def test_what_is_not_understood_ends_with_1_and_a_remedy_and_is_audited(alerter: Command) -> None:
    assert "write 100%, +$500" in alerter("ack", "one", "--until", "whenever", code=1)
    assert "a snooze lasts for a time" in alerter("snooze", "one", "100%", code=1)
    refused = json.loads(alerter("snooze", "onne", "3h", "--json", code=1))
    assert (refused["ok"], refused["code"]) == (False, "unknown")
    assert "did you mean one?" in refused["text"]
    assert [line.split()[3] for line in alerter("audit").splitlines()[1:]] == ["ack", "snooze", "snooze"]


def test_a_period_that_is_over_says_so(alerter: Command) -> None:
    done = CliRunner().invoke(app, ["snooze", "one", "3h", "--now", "2026-12-02T09:05Z"])
    assert done.exit_code == 1
    assert "its period ended on 2026-11-30, so nothing was changed" in done.output
