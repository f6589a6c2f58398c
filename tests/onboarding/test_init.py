"""`alerter init` on a real MLflow server: what it finds, what it writes, and that this runs as it stands."""

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, strategies as st
from jsonschema import Draft202012Validator

from alerter.config import load
from alerter.onboarding.files import quoted
from tests.fixtures.many_teams import HOUR_MS, Row, spread, write_runs
from tests.fixtures.mlflow_server import MlflowServer

ALERTER = str(Path(sys.executable).with_name("alerter"))
DAY_MS = 24 * HOUR_MS
VISION = ("vision", "Vision", "vision ")
TYPES = ("m5.xlarge", "g5.2xlarge", "dgx-h100")


@pytest.fixture(scope="session")
def used_server(mlflow_servers: Callable[..., MlflowServer]) -> MlflowServer:
    """A server with two months of runs of four teams, one of them spelled in three ways."""
    server: MlflowServer = mlflow_servers("used")
    now = time.time_ns() // 1_000_000
    experiment = server.experiment("training")
    rows = []
    for number, at in enumerate(spread(now - 60 * DAY_MS, now - 2 * HOUR_MS, 600)):
        team = VISION[number // 4 % 3] if number % 4 == 0 else f"team-{number % 4}"
        tags = {"trial": str(number), "stage": "dev"} | ({} if number % 10 == 9 else {"team": team})
        rows.append(Row(experiment, at, at + HOUR_MS, {"instance_type": TYPES[number % 3]}, tags))
    write_runs(server.database, rows)
    return server


def environment(server: MlflowServer, **more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW", "ALERTER", "SLACK"))}
    return {**kept, "MLFLOW_TRACKING_URI": server.uri, "MLFLOW_DISABLE_TELEMETRY": "true", **more}


def alerter(folder: Path, server: MlflowServer, *words: str, code: int = 0) -> str:
    """Run a command in a folder; return what it prints."""
    command = [ALERTER, *words]
    done = subprocess.run(command, cwd=folder, env=environment(server), capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def budgets_of(folder: Path) -> dict[str, Any]:
    text = (folder / "config" / "budgets.yaml").read_text(encoding="utf-8")
    return {each["name"]: each for each in yaml.safe_load(text)["budgets"]}


@pytest.mark.timeout(240)
def test_what_it_writes_passes_check_and_runs_quietly(tmp_path: Path, used_server: MlflowServer) -> None:
    said = alerter(tmp_path, used_server, "init", "--yes")
    assert "600 runs" in said
    assert "10 % of runs lack it" in said
    assert "without a price: dgx-h100 200" in said
    assert "alerter check" in said

    assert "0 errors, 0 warnings" in alerter(tmp_path, used_server, "check")
    report = json.loads(alerter(tmp_path, used_server, "once", "--json"))
    assert report["polls"][0]["runs"] == 600
    assert report["messages"] == 0  # the amounts leave room for what was usual
    shown = json.loads(alerter(tmp_path, used_server, "status", "--json"))["budgets"]
    spent = {each["scope"].get("team", each["budget"]): each for each in shown}
    teams = {"vision", "team-1", "team-2", "team-3", "(untagged)"}
    assert {"everything"} <= set(spent) <= {"everything"} | teams  # early in a month not all of them have spent
    assert all(each["percent"] < 80 for each in spent.values())

    team = budgets_of(tmp_path)["every-team"]
    assert {each["team"] for each in team["overrides"]} == teams
    prices = (tmp_path / "config" / "prices.yaml").read_text(encoding="utf-8")
    assert '{instance_type: "dgx-h100"}, per_instance_hour' in prices
    for name in ("alerter", "budgets", "prices"):
        text = (tmp_path / "config" / f"{name}.yaml").read_text(encoding="utf-8")
        hint = text.splitlines()[0].partition("$schema=")[2]
        schema = json.loads((tmp_path / "config" / hint).read_text(encoding="utf-8"))
        Draft202012Validator(schema).validate(yaml.safe_load(text))  # as an editor does


@pytest.mark.timeout(240)
def test_it_asks_and_takes_the_answers(tmp_path: Path, used_server: MlflowServer) -> None:
    answers = ["", "colour", "none", "Mars/Utopia", "Europe/Berlin", "ml-costs", "y"]
    said = in_a_terminal(tmp_path, used_server, answers, "init")
    assert "No run has a tag 'colour'" in said
    assert "no time zone" in said
    config = load(tmp_path / "config", {})
    assert [each.name for each in config.budgets] == ["everything"]
    assert config.budgets[0].timezone == "Europe/Berlin"
    assert config.budgets[0].rules.mode == "observe"
    assert config.receivers[0].channels == {"slack": {"channel": "#ml-costs"}}


def test_nothing_is_overwritten(tmp_path: Path, used_server: MlflowServer) -> None:
    (tmp_path / "config" / "budgets").mkdir(parents=True)
    said = alerter(tmp_path, used_server, "init", "--yes", code=2)
    assert "config/budgets is there" in said
    assert "--config" in said
    assert [each.name for each in (tmp_path / "config").iterdir()] == ["budgets"]


def test_nobody_is_asked_where_nobody_is(tmp_path: Path, used_server: MlflowServer) -> None:
    assert "--yes" in alerter(tmp_path, used_server, "init", code=2)


def test_a_server_that_is_not_there(tmp_path: Path, used_server: MlflowServer) -> None:
    said = alerter(tmp_path, used_server, "init", "--yes", "--source", "http://127.0.0.1:9", code=3)
    assert "127.0.0.1:9" in said
    assert not (tmp_path / "config").exists()


@pytest.mark.timeout(240)
def test_its_options_stand_in_the_files(tmp_path: Path, used_server: MlflowServer) -> None:
    options = ["--history-from", "2031-01-01", "--observe", "--slack", "#costs", "--tag", "stage"]
    said = alerter(tmp_path, used_server, "init", "--yes", *options, "--config", "other")
    assert "No run is there yet" in said
    assert "alerter check --config other" in said
    config = load(tmp_path / "other", {})
    assert str(config.sources[0].history_from) == "2031-01-01"
    assert config.budgets[1].group_by == ("stage",)
    assert config.alerts.mode == "observe"


@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1))
def test_what_is_quoted_is_read_back(text: str) -> None:
    assert yaml.safe_load(f"{{a: {quoted(text)}}}") == {"a": text}


def in_a_terminal(folder: Path, server: MlflowServer, answers: list[str], *words: str) -> str:
    """Run a command with a terminal of its own, give it answers, and return what stands there in the end."""
    mine, theirs = pty.openpty()
    command, variables = [ALERTER, *words], environment(server, TERM="dumb")
    process = subprocess.Popen(command, cwd=folder, env=variables, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(mine, "".join(f"{each}\n" for each in answers).encode())
    shown = b""
    try:
        while part := os.read(mine, 4096):
            shown += part
    except OSError:  # the other end is closed
        pass
    os.close(mine)
    assert process.wait(60) == 0, shown.decode()
    return shown.decode()
