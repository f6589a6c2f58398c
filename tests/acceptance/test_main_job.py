"""A budget crossed on a real MLflow server becomes one Slack alert and one e-mail, acknowledged by a slash command."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.mlflow_server import MlflowServer, unique
from tests.fixtures.slack_emulator import SlackServer, serve_local_slack
from tests.fixtures.smtp_server import SmtpServer

pytestmark = pytest.mark.needs_local_slack

HOUR_MS = 3_600_000
ALERTER = str(Path(sys.executable).with_name("alerter"))
CONFIG = """\
sources:
  - {{name: main, tracking_uri: {mlflow}, experiments: {{include: ["{experiment}*"]}}}}
database: sqlite:///{folder}/alerter.db
poll: {{every: 1s}}
receivers:
  - name: ml-costs
    slack: {{channel: "#ml-costs"}}
    email: {{to: [ml-costs@example.com]}}
slack: {{mode: socket, base_url: "{slack}"}}
email: {{host: localhost, port: {smtp_port}, from: budgets@example.com, ca_file: {ca_file}}}
web: {{listen: "127.0.0.1:0"}}
"""
BUDGETS = """\
defaults: {receivers: [ml-costs], timezone: UTC}
budgets:
  - name: fraud-detection
    match: {project: fraud-detection}
    amount: 100
    period: {rolling_days: 30}
"""


def eventually(true: Callable[[], object], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.2)


class Deployment:
    """A configuration on real servers, and its commands."""

    def __init__(self, folder: Path, server: MlflowServer, slack: SlackServer, smtp: SmtpServer) -> None:
        self.folder, self.server, self.slack, self.smtp = folder, server, slack, smtp
        self.experiment = unique("acceptance")
        self.config = folder / "config"
        self.config.mkdir()
        text = CONFIG.format(
            mlflow=server.uri,
            experiment=self.experiment,
            folder=folder,
            slack=slack.base_url,
            smtp_port=smtp.port,
            ca_file=smtp.ca_file,
        )
        (self.config / "alerter.yaml").write_text(text)
        (self.config / "budgets.yaml").write_text(BUDGETS)
        self.environment = {
            **os.environ,
            "SLACK_BOT_TOKEN": slack.token,
            "SLACK_APP_TOKEN": slack.app_token,
            "SMTP_USERNAME": smtp.username,
            "SMTP_PASSWORD": smtp.password,
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }

    def run(self, *words: str) -> Any:  # noqa: ANN401 - JSON
        """Run a reading command and return its JSON."""
        command = [ALERTER, *words, "--config", str(self.config), "--json"]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    @contextmanager
    def daemon(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run the real daemon; it must end by SIGTERM with exit code 0."""
        log = self.folder / "daemon.log"
        with log.open("ab") as output:
            command = [ALERTER, "run", "--config", str(self.config)]
            process = subprocess.Popen(command, env=self.environment, stdout=output, stderr=output)
            try:
                yield process
                process.send_signal(signal.SIGTERM)
                assert process.wait(25) == 0, log.read_text()[-3000:]
            finally:
                process.kill()
                process.wait()

    def alerts_shown(self) -> list[dict[str, Any]]:
        """Return the bot's own messages in the channel: no answer to a command stands there."""
        shown = self.slack.control("messages/C01COST")["messages"]
        return [each for each in shown if not each.get("ephemeral_to")]

    def command(self, text: str) -> str:
        """Type a slash command as Anna and return the answer that only she sees."""
        before = len(self._answers())
        body = {"appId": self.slack.app_id, "channel": "C01COST", "user": "U01ANNA", "command": "/budget", "text": text}
        self.slack.control("command", body)
        eventually(lambda: len(self._answers()) > before, f"an answer to {text!r}", 10)
        return str(self._answers()[-1]["text"])

    def _answers(self) -> list[dict[str, Any]]:
        shown = self.slack.control("messages/C01COST")["messages"]
        return [each for each in shown if each.get("ephemeral_to") == "U01ANNA"]


@pytest.mark.timeout(240)
def test_the_main_job(tmp_path: Path, mlflow_server: MlflowServer, smtp_server: SmtpServer) -> None:
    with serve_local_slack(tmp_path) as slack:
        job = Deployment(tmp_path, mlflow_server, slack, smtp_server)
        with job.daemon():
            highest = _cross(job)
            _acknowledge(job, highest)
            time.sleep(3)  # three more polls have nothing new to say
        with job.daemon():  # nor has a restart
            before = _last_poll(job)
            eventually(lambda: _last_poll(job) > before, "a poll after the restart")
        assert len(job.alerts_shown()) == 1
        assert len(smtp_server.mails) == 1
        _audit(job, highest)


def _cross(job: Deployment) -> str:
    """Log runs that cross the budget; return the id of the alert that one Slack message and one mail tell."""
    now = time.time_ns() // 1_000_000
    experiment = job.server.experiment(job.experiment, project="fraud-detection", team="analytics")
    first = {"params": {"instance_type": "p4d.24xlarge"}, "name": "trial-1"}
    job.server.ended_run(experiment, now - 6 * HOUR_MS, now - 4 * HOUR_MS, **first)
    eventually((job.folder / "alerter.db").exists, "the database")
    eventually(lambda: _budget(job)["runs"] == 1, "the first sync")
    assert not job.alerts_shown()

    # 2 h of it were 44 %; 4 h of two more machines make 220 %: one message names the highest threshold.
    second = {"params": {"instance_type": "p4d.24xlarge", "num_workers": "2"}, "name": "trial-2"}
    job.server.ended_run(experiment, now - 4 * HOUR_MS, now, **second)
    eventually(job.alerts_shown, "the Slack message")
    eventually(lambda: job.smtp.mails, "the e-mail")
    (shown,) = job.alerts_shown()
    (mail,) = job.smtp.mails
    assert "fraud-detection" in shown["text"]
    assert "fraud-detection" in str(mail.message["Subject"])
    fired = job.run("alerts")["alerts"]
    assert [each["threshold"] for each in fired] == [80, 100, 125, 150, 175, 200]
    return str(fired[-1]["id"])


def _acknowledge(job: Deployment, alert: str) -> None:
    assert "fraud-detection" in job.command("status")
    assert "quiet until the next threshold" in job.command(f"ack {alert} -- on it")
    eventually(lambda: "Acknowledged" in str(job.alerts_shown()), "the message shows who acknowledged")
    assert "already acknowledged" in job.command("ack fraud-detection").casefold()
    states = job.run("alerts")["alerts"]
    assert {each["status"] for each in states} == {"acknowledged"}
    assert all("anna" in each["acknowledged_by"] for each in states)


def _audit(job: Deployment, alert: str) -> None:
    assert job.run("ledger", "verify")["ok"]
    explained = job.run("explain", alert)
    assert explained["alert"]["spent"] == _budget(job)["spent"]
    assert {run["name"] for run in explained["runs"]} == {"trial-1", "trial-2"}
    log = (job.folder / "daemon.log").read_text()
    for secret in (job.slack.token, job.slack.app_token, job.smtp.password):
        assert secret not in log


def _budget(job: Deployment) -> dict[str, Any]:
    try:
        (budget,) = job.run("status")["budgets"]
    except subprocess.CalledProcessError:
        return {"runs": 0}
    return dict(budget)


def _last_poll(job: Deployment) -> str:
    return str(job.run("status")["as_of"])
