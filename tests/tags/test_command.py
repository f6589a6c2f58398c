"""`alerter tags` on a real MLflow server."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from alerter.cli.app import app
from tests.fixtures.mlflow_server import MlflowServer, unique

HOUR = 3_600_000
START = 1_795_000_000_000
CONFIG = """\
sources: [{{name: main, tracking_uri: "{uri}", experiments: {{include: ["{world}*"]}}}}]
database: sqlite:///{folder}/alerter.db
tags: {{aliases: {{team: {{cv: vision}}}}, derive: {{team: "*/teams/{{team}}/*"}}{more}}}
"""
BUDGETS = """\
defaults: {period: yearly, receivers: [console]}
budgets:
  - {name: every-team, amount: 1000, group_by: [team], match: {stage: dev}}
"""
TEAMS = ("vision", "vision", "vision", "Vision", "visoin", "cv", "team-1", "team-2", None)


@pytest.fixture
def folder(mlflow_server: MlflowServer, tmp_path: Path) -> Path:
    world = unique("tags")
    plain = mlflow_server.experiment(f"{world}-plain", stage="dev")
    other = mlflow_server.experiment(f"{world}-other", team="vision")
    derived = mlflow_server.experiment(f"{world}/teams/nlp/bert", stage="dev")
    for number, team in enumerate(TEAMS):
        tags = {} if team is None else {"team": team}
        mlflow_server.ended_run(plain, START + number, START + HOUR, tags=tags)
    for experiment in (other, derived):
        mlflow_server.ended_run(experiment, START, START + HOUR)
    write(tmp_path, mlflow_server, world, "")
    (tmp_path / "world").write_text(world)
    alerter(tmp_path, "once")
    return tmp_path


def write(folder: Path, server: MlflowServer, world: str, more: str) -> None:
    (folder / "alerter.yaml").write_text(CONFIG.format(uri=server.uri, world=world, folder=folder, more=more))
    (folder / "budgets.yaml").write_text(BUDGETS)


def alerter(folder: Path, *words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, [*words, "--config", str(folder)])
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


def report(folder: Path, *words: str) -> Any:  # noqa: ANN401 - JSON
    return json.loads(alerter(folder, "tags", *words, "--json"))


def test_what_is_in_use_and_what_looks_alike(folder: Path, mlflow_server: MlflowServer) -> None:
    world = (folder / "world").read_text()
    found = report(folder)
    assert found["runs"] == 11
    team = next(each for each in found["tags"] if each["key"] == "team")
    expected = {"vision": 5, "Vision": 1, "visoin": 1, "team-1": 1, "team-2": 1, "nlp": 1}
    assert (team["values"], team["derived"]) == (expected, 1)
    lines = {tuple(each["values"]): each["line"] for each in found["alike"]}
    assert lines == {
        ("Vision", "vision"): 'casefold: ["team"]',
        ("visoin", "vision"): 'aliases: {"team": {"visoin": "vision"}}',
    }
    assert found["uncounted"] == {f"{world}-other": 1}
    assert found["lacking"] == {"team": {f"{world}-plain": 1}}

    write(folder, mlflow_server, world, ", casefold: [team], known_values: {team: [vision, nlp]}")
    alerter(folder, "once")
    found = report(folder)
    team = next(each for each in found["tags"] if each["key"] == "team")
    assert team["values"] == {"vision": 6, "(unknown)": 3, "nlp": 1}
    assert team["unknown"] == {"visoin": 1, "team-1": 1, "team-2": 1}
    assert [each["values"] for each in found["alike"]] == [["visoin", "vision"]]
    assert json.loads(alerter(folder, "ledger", "verify", "--json"))["ok"]


def test_it_reads_well(folder: Path) -> None:
    said = alerter(folder, "tags")
    assert "team: visoin (1) and vision (5)" in said
    assert "1 run is in no budget" in said
    assert "1 run lacks team and counts as (untagged)" in said
    values = alerter(folder, "tags", "team")
    assert "'cv'" in values
    assert "did you mean 'team'?" in alerter(folder, "tags", "taem", code=1)


def test_check_points_out_what_a_colleague_would(folder: Path) -> None:
    said = alerter(folder, "check")
    assert "Vision and vision look like one" in said
    assert 'under tags: casefold: ["team"]' in said
    assert "9 % of runs lack it, and count as (untagged)" in said
    assert "9 % of runs are in none" in said
    assert "`alerter tags` shows where they are" in said
    assert said.splitlines()[-1].endswith("It can run as it is; each warning says what that costs.")
