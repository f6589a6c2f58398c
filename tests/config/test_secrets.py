"""Secrets come from the environment or from files, and are seen nowhere."""

from pathlib import Path

import pytest

from alerter.check import check_offline
from alerter.config import ConfigError, Secrets, export_mlflow_secrets
from alerter.config.problems import shown
from tests.config.conftest import Folder

NAMES = (
    "SLACK_BOT_TOKEN",
    "SLACK_APP_TOKEN",
    "SLACK_SIGNING_SECRET",
    "SMTP_USERNAME",
    "SMTP_PASSWORD",
    "ALERTER_WEB_TOKEN",
)


def test_secrets_come_from_the_environment_and_are_never_shown(folder: Folder) -> None:
    folder.environ |= {name: f"hunter2-{name.lower()}" for name in NAMES}
    config = folder.load()
    assert config.secrets.smtp_password is not None
    assert config.secrets.smtp_password.get_secret_value() == "hunter2-smtp_password"
    assert "hunter2" not in repr(config)
    assert "hunter2" not in str(config)
    assert "hunter2" not in f"{config.secrets}"


def test_secrets_come_from_credential_files_and_the_environment_wins(tmp_path: Path) -> None:
    (tmp_path / "slack_bot_token").write_text("xoxb-file\n", encoding="utf-8")
    (tmp_path / "smtp_password").write_text("file", encoding="utf-8")
    (tmp_path / "smtp_username").write_text("\n", encoding="utf-8")
    secrets = Secrets.read({"CREDENTIALS_DIRECTORY": str(tmp_path), "SMTP_PASSWORD": "environment"})
    assert secrets.slack_bot_token is not None
    assert secrets.slack_bot_token.get_secret_value() == "xoxb-file"
    assert secrets.smtp_password is not None
    assert secrets.smtp_password.get_secret_value() == "environment"
    assert secrets.smtp_username is None


def test_mlflows_own_variables_are_exported_from_files(tmp_path: Path) -> None:
    for name in ("mlflow_tracking_password", "mlflow_tracking_username", "databricks_token", "pgpassword", "other"):
        (tmp_path / name).write_text(f" {name}-value\n", encoding="utf-8")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), "MLFLOW_TRACKING_USERNAME": "kept"}
    assert export_mlflow_secrets(environ) == ("DATABRICKS_TOKEN", "MLFLOW_TRACKING_PASSWORD", "PGPASSWORD")
    assert environ["MLFLOW_TRACKING_USERNAME"] == "kept"
    assert environ["MLFLOW_TRACKING_PASSWORD"] == "mlflow_tracking_password-value"
    assert "OTHER" not in environ


def test_a_secret_file_that_is_no_text_shows_none_of_it(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "smtp_password").write_bytes(b"hunter2\xff")
    folder.environ["CREDENTIALS_DIRECTORY"] = str(tmp_path)
    assert folder.problems() == [f"{tmp_path}/smtp_password: is no text: a secret's file holds its value alone"]


@pytest.mark.parametrize(("token", "warned"), [("hunter2", True), ("hunter2-hunter2-hunter2", False)])
def test_a_token_that_can_be_guessed_is_warned_of(folder: Folder, token: str, warned: bool) -> None:  # noqa: FBT001 - by pytest
    folder.environ["ALERTER_WEB_TOKEN"] = token
    found = [each for each in check_offline(folder.load()) if each.subject == "ALERTER_WEB_TOKEN"]
    assert [each.level for each in found] == ["warning"] * warned
    assert "hunter2" not in str(found)


def test_a_credentials_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\$CREDENTIALS_DIRECTORY is no folder that can be read"):
        Secrets.read({"CREDENTIALS_DIRECTORY": str(tmp_path / "nowhere")})


def test_a_credentials_folder_that_is_a_program(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("hunter2", encoding="utf-8")
    (tmp_path / "file").chmod(0o755)
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path / "file")}
    for read in (Secrets.read, export_mlflow_secrets):
        with pytest.raises(ConfigError, match=r"\$CREDENTIALS_DIRECTORY is no folder that can be read"):
            read(environ)


IN_YAML = [
    ("slack: {token: xoxb-1-hunter2}", "1:9", "SLACK_BOT_TOKEN"),
    ("slack: {bot_token: hunter2}", "1:9", "SLACK_BOT_TOKEN"),
    ("slack: {app_token: hunter2}", "1:9", "SLACK_APP_TOKEN"),
    ("slack: {signing_secret: hunter2}", "1:9", "SLACK_SIGNING_SECRET"),
    ("slack: {hook: https://hooks.slack.com/services/hunter2}", "1:9", "SLACK_BOT_TOKEN"),
    ("email: {host: h, from: a@x.example, password: hunter2}", "1:37", "SMTP_PASSWORD"),
    ("web: {token: hunter2}", "1:7", "ALERTER_WEB_TOKEN"),
    ("sources: [{name: a, password: hunter2}]", "1:21", "MLFLOW_TRACKING_PASSWORD"),
    ("sources: [{name: a, tracking_uri: 'http://u:hunter2@h'}]", "1:35", "MLFLOW_TRACKING_PASSWORD"),
    ("sources: [{name: a, tracking_uri: 'http://hunter2@h'}]", "1:35", "MLFLOW_TRACKING_PASSWORD"),
    ("sources: [{name: a, backend_store: 'postgresql://u:hunter2@h/m'}]", "1:36", "PGPASSWORD"),
    ("database: postgresql://u:hunter2@h/m", "1:11", "PGPASSWORD"),
    ("database: postgresql://h/m?user=u&password=hunter2", "1:11", "PGPASSWORD"),
    ("database: mysql://u:hunter2@h/m", "1:11", "expected sqlite:///file"),
    ("slack: xoxb-1-hunter2", "1:8", "expected a mapping"),
    ("slack: {mode: xoxb-1-hunter2}", "1:15", "expected socket or http"),
    ("operators: xoxb-1-hunter2", "1:12", "unknown receiver '(hidden)'"),
    ("? xoxb-1-hunter2\n: 1", "1:3", "'(hidden)'"),
    ("smtp_password: hunter2", "1:1", "SMTP_PASSWORD"),
    ("slack: !xoxb-1-hunter2 {}", "1:8", "tag"),
    ("slack: {a: xoxb-1-hunter2: b}", "1:26", ""),
]


@pytest.mark.parametrize(("text", "place", "remedy"), IN_YAML)
def test_a_secret_in_yaml_is_refused_and_not_repeated(folder: Folder, text: str, place: str, remedy: str) -> None:
    folder.write("alerter.yaml", text + "\n")
    problems = folder.problems()
    assert any(each.startswith(f"config/alerter.yaml:{place}: ") and remedy in each for each in problems), problems
    assert "hunter2" not in "\n".join(problems)


def test_a_token_is_a_fine_name_for_a_tag(folder: Folder) -> None:
    folder.write(
        "budgets.yaml",
        "budgets: [{name: a, amount: 1, period: daily, receivers: console, match: {token: x, password: y}}]\n",
    )
    assert folder.load().budgets[0].match == (("password", ("y",)), ("token", ("x",)))


def test_what_is_shown_stays_on_its_line_and_short() -> None:
    assert shown("a\x1b[31m\n\u202eb") == r"'a\x1b[31m\n\u202eb'"
    assert len(shown("x" * 10_000)) < 70
