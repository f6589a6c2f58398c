"""What `alerter check` says of links and of what to do first."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from alerter.cli.app import app

BUDGETS = "budgets: [{name: all, amount: 1, period: monthly, receivers: [costs]}]\n"
SLACK = "receivers: [{name: costs, slack: {channel: '#costs'}}]\noperators: costs\n"
SOURCE = "sources: [{name: main, tracking_uri: 'http://mlflow:5000'}]\n"
UI_URL = "sources: [{name: main, ui_url: 'https://mlflow.example.com'}]\n"
PUBLIC = "web: {public_url: 'https://budgets.example.com'}\n"
TOKENS = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}


def check(folder: Path, alerter: str, environ: dict[str, str] | None = None, *, code: int = 0) -> list[str]:
    (folder / "alerter.yaml").write_text(f"database: sqlite:///{folder}/alerter.db\n{alerter}")
    (folder / "budgets.yaml").write_text(BUDGETS)
    clean = {"MLFLOW_TRACKING_URI": None}  # MLflow's client leaves it behind in the process of another test
    done = CliRunner().invoke(app, ["check", "--offline", "--config", str(folder)], env={**clean, **(environ or {})})
    assert done.exit_code == code, done.output
    return done.output.splitlines()


@pytest.mark.parametrize(
    ("more", "lines"),
    [
        (SOURCE, ["messages have no link to the page"]),
        (SOURCE + PUBLIC, []),
        (
            PUBLIC,
            ["runs of main link to http://127.0.0.1:5000"],
        ),
        (
            UI_URL + PUBLIC,
            [],
        ),
    ],
)
def test_links_that_people_will_miss(tmp_path: Path, more: str, lines: list[str]) -> None:
    said = [each for each in check(tmp_path, SLACK + more, TOKENS) if each.startswith("WARNING  links")]
    assert [each.removeprefix("WARNING  links").strip() for each in said] == lines


def test_on_one_machine_nobody_misses_them(tmp_path: Path) -> None:
    said = check(tmp_path, "receivers: [{name: costs, console: {}}]\noperators: costs\n")
    assert said[-1] == f"0 errors, 0 warnings. It is ready: alerter run --config {tmp_path}"


def test_it_says_what_to_begin_with(tmp_path: Path) -> None:
    assert check(tmp_path, SLACK, code=1)[-1].endswith(
        "Begin with SLACK_BOT_TOKEN: as it is, alerts can't be relied on."
    )


def test_a_pull_request_needs_no_secrets(tmp_path: Path) -> None:
    check(tmp_path, SLACK + SOURCE, code=1)
    done = CliRunner().invoke(app, ["check", "--files", "--config", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "SLACK_BOT_TOKEN" not in done.output
    assert not (tmp_path / "alerter.db").exists()
    (tmp_path / "budgets.yaml").write_text(BUDGETS.replace("costs", "cost"))
    done = CliRunner().invoke(app, ["check", "--files", "--config", str(tmp_path)])
    assert (done.exit_code, "did you mean 'costs'?" in str(done.exception)) == (1, True)
