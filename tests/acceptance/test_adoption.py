"""Forty teams, introduced on the 20th of a month: one message a receiver, none on a restart, then only what is new.

A real MLflow server holds 20,000 runs, a real Slack-like server shows what people see, and each step is a process of
its own, as a restart is.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.config.test_revision import git
from tests.fixtures.many_teams import HOUR_MS, Row, spread, write_runs
from tests.fixtures.mlflow_server import MlflowServer, serving
from tests.fixtures.slack_emulator import SlackServer, serve_local_slack

pytestmark = pytest.mark.needs_local_slack

ALERTER = str(Path(sys.executable).with_name("alerter"))
RUNS, TEAMS, OVER = 20_000, 40, 12
VISION = ("vision", "Vision", "vision ", "VISION")
TEAM, OWN = "C01COST", "C02CALL"
"""The channels of `ml-costs`, and of `vision-costs`."""

CONFIG = """\
sources:
  - name: main
    tracking_uri: "{server.uri}"
    backend_store: "{server.store}"
    ui_url: https://mlflow.example.com
web: {{public_url: https://budgets.example.com}}
database: sqlite:///{folder}/alerter.db
tags: {{casefold: [team]}}
receivers:
  - {{name: ml-costs, slack: {{channel: "#ml-costs"}}}}
  - {{name: vision-costs, slack: {{channel: "#oncall"}}}}
slack: {{base_url: "{slack.base_url}"}}
"""
BUDGETS = """\
defaults: {{timezone: UTC, period: monthly, thresholds: [80%, 100%]}}
budgets:
  - name: every-team
    group_by: [team]
    amount: 2000
    receivers: ["{{team}}-costs", ml-costs]
    overrides:
      - {{team: vision, amount: 12000, owner: "@vision-lead"}}
{more}"""
RAISED = "      - {team: [team], amount: 20000}\n"


def at(text: str) -> int:
    return round(datetime.fromisoformat(f"2026-{text}:00").replace(tzinfo=UTC).timestamp() * 1000)


def team_of(number: int) -> str:
    """Return the team of a run: the first of forty is vision, as four people write it."""
    team = number % TEAMS
    return VISION[number // TEAMS % len(VISION)] if team == 0 else f"team-{team:02}"


def company(experiment: str) -> Iterator[Row]:
    """Runs of an hour from September on; what the first twelve teams use in November is dear."""
    for number, start in enumerate(spread(at("09-01T00:00"), at("11-20T07:00"), RUNS)):
        dear = number % TEAMS < OVER and start >= at("11-01T00:00")
        nodes = "4" if number % TEAMS == 0 else "1"
        params = {"instance_type": "p4d.24xlarge", "num_nodes": nodes} if dear else {"instance_type": "m5.large"}
        yield Row(experiment, start, start + HOUR_MS, params, {"team": team_of(number), "project": f"p-{number % 9}"})


class Platform:
    """One installation, its configuration under git."""

    def __init__(self, folder: Path, server: MlflowServer, slack: SlackServer) -> None:
        self.folder, self.slack = folder, slack
        self.config = folder / "config"
        (self.config / "budgets").mkdir(parents=True)
        (self.config / "alerter.yaml").write_text(CONFIG.format(server=server, folder=folder, slack=slack))
        git(folder, "init", "-q")
        self.merge("")
        secrets = {"SLACK_BOT_TOKEN": slack.token, "SLACK_APP_TOKEN": slack.app_token}
        self.environment = {**os.environ, **secrets, "MLFLOW_DISABLE_TELEMETRY": "true"}

    def merge(self, more: str) -> str:
        """Commit the budgets with some overrides more; return the commit's short hash."""
        (self.config / "budgets" / "teams.yaml").write_text(BUDGETS.format(more=more))
        git(self.folder, "add", "config")
        git(self.folder, "commit", "-qm", "budgets")
        return git(self.folder, "log", "-1", "--format=%h")

    def alerter(self, *words: str) -> dict[str, Any]:
        """Run a command and return its JSON."""
        command = [ALERTER, *words, "--config", str(self.config), "--json"]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def messages(self, channel: str) -> list[dict[str, Any]]:
        """Return what stands in a channel."""
        found: list[dict[str, Any]] = self.slack.control(f"messages/{channel}")["messages"]
        return found


@pytest.mark.timeout(300)
def test_forty_teams_on_the_twentieth(tmp_path: Path) -> None:
    with serving(tmp_path) as server, serve_local_slack(tmp_path) as slack:
        experiment = server.experiment("training")
        write_runs(server.database, list(company(experiment)))
        platform = Platform(tmp_path, server, slack)
        _first_start(platform)
        _restart(platform)
        alone = _next_crossing(platform, server, experiment)
        _merged_change(platform, alone)
        assert platform.alerter("ledger", "verify")["ok"]


def _first_start(platform: Platform) -> None:
    report = platform.alerter("once", "--now", "2026-11-20T09:00Z")
    assert report["polls"][0]["runs"] == RUNS
    (message,) = platform.messages(TEAM)
    assert "already over a threshold" in message["text"]
    for link in ("https://budgets.example.com#A-", "https://mlflow.example.com/#/experiments/"):
        assert link in str(message)
    (own,) = platform.messages(OWN)
    assert "vision" in str(own)
    assert "@vision-lead" in str(own)

    scopes = {
        each["scope"]["team"]: each for each in platform.alerter("status", "--now", "2026-11-20T09:00Z")["budgets"]
    }
    assert len(scopes) == TEAMS  # one vision, whoever wrote it
    over = {team for team, each in scopes.items() if each["percent"] >= 80}
    assert over == {"vision", *(f"team-{number:02}" for number in range(1, OVER))}
    assert scopes["vision"]["amount"] == "12000.00"


def _restart(platform: Platform) -> None:
    for now in ("2026-11-20T09:01Z", "2026-11-20T13:00Z"):
        assert platform.alerter("once", "--now", now)["messages"] == 0
    assert [len(platform.messages(each)) for each in (TEAM, OWN)] == [1, 1]


def _next_crossing(platform: Platform, server: MlflowServer, experiment: str) -> str:
    """Let a team of the others cross; return the timestamp of the message that tells of it alone."""
    dear = {"params": {"instance_type": "p4d.24xlarge", "num_nodes": "20"}, "tags": {"team": "team-30"}}
    server.ended_run(experiment, at("11-20T08:00"), at("11-20T13:30"), **dear)
    assert platform.alerter("once", "--now", "2026-11-20T14:00Z")["messages"] == 1
    _, message = platform.messages(TEAM)
    assert "team-30" in message["text"]
    assert "team-01" not in str(message)
    assert len(platform.messages(OWN)) == 1
    return str(message["ts"])


def _merged_change(platform: Platform, alone: str) -> None:
    """Raise the amounts of two teams: one in the opening message, and the one that was told alone."""
    commit = platform.merge("".join(RAISED.replace("[team]", team) for team in ("team-01", "team-30")))
    assert platform.alerter("once", "--now", "2026-11-20T15:00Z")["messages"] == 0
    opening, single = platform.messages(TEAM)
    assert single["ts"] == alone
    for message in (opening, single):
        assert f"amount raised to $20,000 by {commit}" in str(message)
    fired = platform.alerter("alerts", "--all", "--now", "2026-11-20T15:00Z")["alerts"]
    resolved = {each["scope"]["team"] for each in fired if each["status"] == "resolved"}
    assert resolved == {"team-01", "team-30"}
    assert time.time_ns() // 1_000_000 > at("11-20T15:00"), "deliveries wait for the real clock"
