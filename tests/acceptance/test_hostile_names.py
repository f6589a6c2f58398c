"""Names that would speak to a terminal: no command lets them, and none takes them for markup."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fixtures.mlflow_server import MlflowServer, unique

ALERTER = str(Path(sys.executable).with_name("alerter"))
HOUR = 3_600_000
HOSTILE = "a\x1b[31m\x1b]8;;http://evil.example\x07[red]b[/red]\r\u202ec\x9b"
CONFIG = """\
sources: [{{name: main, tracking_uri: "{uri}", experiments: {{include: ["{experiment}*"]}}}}]
database: sqlite:///{folder}/alerter.db
receivers: [{{name: ops, console: {{}}}}]
"""
BUDGETS = 'budgets: [{name: all, group_by: [team], amount: "1", period: yearly, receivers: [ops]}]\n'
COMMANDS = (
    ["status"],
    ["alerts"],
    ["top"],
    ["top", "--unpriced"],
    ["explain", "RUN"],
    ["explain", "PRICED"],
    ["check"],
    ["tags"],
    ["simulate"],
    ["notifications"],
    ["audit"],
    ["ledger", "export"],
    ["init", "--yes", "--source", "SOURCE", "--config", "FOLDER/new"],
    *([word, "--json"] for word in ("status", "alerts", "top", "tags", "simulate", "notifications")),
    ["explain", "RUN", "--json"],
    ["explain", "ALERT"],
    ["ack", "ALERT", "--note", HOSTILE],
    ["alerts"],
    ["audit"],
)


@pytest.mark.timeout(500)
def test_no_command_lets_a_name_speak_to_the_terminal(tmp_path: Path, mlflow_server: MlflowServer) -> None:
    name = unique("hostile")
    experiment, now = mlflow_server.experiment(f"{name} {HOSTILE}"), time.time_ns() // 1_000_000
    tags = {"team": HOSTILE, "project": HOSTILE}
    first, run = (
        mlflow_server.ended_run(
            experiment, now - HOUR, now, name=HOSTILE, user=HOSTILE, tags=tags, params={"instance_type": machine}
        )
        for machine in ("p4d.24xlarge", HOSTILE)
    )
    (tmp_path / "alerter.yaml").write_text(
        CONFIG.format(uri=mlflow_server.uri, experiment=name, folder=tmp_path), encoding="utf-8"
    )
    (tmp_path / "budgets.yaml").write_text(BUDGETS, encoding="utf-8")
    (tmp_path / "prices.yaml").write_text("catalogs: [builtin]\n", encoding="utf-8")
    shown = {"once": alerter(tmp_path, "once")}
    assert "[red]b[/red]" in shown["once"]
    alert = json.loads(alerter(tmp_path, "alerts", "--json"))["alerts"][0]["id"]
    here = {
        "RUN": run,
        "PRICED": first,
        "ALERT": alert,
        "SOURCE": mlflow_server.uri,
        "FOLDER/new": str(tmp_path / "new"),
    }
    for number, words in enumerate(COMMANDS):
        shown[f"{number} {words}"] = alerter(tmp_path, *(here.get(word, word) for word in words))
    assert sum("[red]b[/red]" in text for text in shown.values()) >= 10
    for command, text in shown.items():
        assert "Traceback" not in text, command
        breaks = "\r\n" if "export" in command else "\n"  # in quotes, in a CSV
        found = {sign for sign in text if sign not in breaks and not sign.isprintable()}
        assert not found, (command, found, text)


def alerter(folder: Path, *words: str) -> str:
    """Run a command and return everything that it printed."""
    command = [ALERTER, *words, *(() if "--config" in words else ("--config", str(folder)))]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert done.returncode in {0, 1}, done.stderr.decode()
    return done.stdout.replace(b"\r\n", b"\n").decode() + done.stderr.decode()
