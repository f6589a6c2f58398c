"""Receivers by webhook and apprise: their secrets are named in YAML and never stand there."""

from collections.abc import Callable
from pathlib import Path

import pytest

from alerter.check import check_offline
from tests.config.conftest import Folder

RECEIVERS = """
receivers:
  - {name: console, console: {}}
  - {name: finance, webhook: {url: "https://hooks.example.com/budgets/"}, fallback: oncall}
  - {name: private, webhook: {url_from: PRIVATE_URL, secret: PRIVATE_SECRET}}
  - {name: oncall, apprise: {url_from: PAGER_URL}}
"""


def test_targets_name_secrets_and_hold_none(folder: Folder, tmp_path: Path) -> None:
    folder.write("alerter.yaml", RECEIVERS)
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "private_url").write_text("https://hooks.example.com/hunter2\n", encoding="utf-8")
    folder.environ |= {"CREDENTIALS_DIRECTORY": str(credentials), "PAGER_URL": "discord://hunter2", "OTHER": "hunter2"}
    config = folder.load()
    assert {each.name: each.channels for each in config.receivers} == {
        "console": {"console": {}},
        "finance": {"webhook": {"url": "https://hooks.example.com/budgets/", "secret": "WEBHOOK_SECRET"}},
        "private": {"webhook": {"url_from": "PRIVATE_URL", "secret": "PRIVATE_SECRET"}},
        "oncall": {"apprise": {"url_from": "PAGER_URL"}},
    }
    assert [each.fallback for each in config.receivers] == [None, "oncall", None, None]
    assert {name: each.get_secret_value() for name, each in config.receiver_secrets.items()} == {
        "PAGER_URL": "discord://hunter2",
        "PRIVATE_URL": "https://hooks.example.com/hunter2",
    }
    assert "hunter2" not in repr(config)


def test_check_names_the_secrets_that_are_missing(folder: Folder) -> None:
    folder.write("alerter.yaml", RECEIVERS)
    folder.environ["WEBHOOK_SECRET"] = "hunter2"
    found = {each.subject: each for each in check_offline(folder.load())}
    assert found["WEBHOOK_SECRET"].level == "ok"
    for name, receiver in (("PRIVATE_URL", "private"), ("PRIVATE_SECRET", "private"), ("PAGER_URL", "oncall")):
        assert found[name].level == "error"
        assert found[name].text.startswith(f"is not set: receiver {receiver} gets nothing by ")
        assert f"as the file {name.lower()} in $CREDENTIALS_DIRECTORY" in found[name].remedy
    assert "hunter2" not in str(found)


def test_check_names_the_handles_that_slack_notifies_nobody_by(folder: Folder) -> None:
    folder.write("alerter.yaml", 'receivers: [{name: ml-costs, slack: {channel: "#ml-costs"}}]\n')
    handles = ("@ml-oncall", "@ml-oncall", "U01ANNA", "@here", "S01GROUP")
    levels = ", ".join(f'{{at: {percent}%, mention: "{handle}"}}' for percent, handle in enumerate(handles, 50))
    budget = f"{{name: all, amount: 5, period: monthly, receivers: [ml-costs], thresholds: [{levels}]}}"
    folder.write("budgets.yaml", f"budgets: [{budget}]\n")
    (found,) = [each for each in check_offline(folder.load()) if "mention" in each.text]
    assert (found.level, found.subject) == ("warning", "budget all")
    assert found.text == "mention @ml-oncall notifies nobody in Slack"
    assert found.remedy.endswith("write a member's id (U..., in their profile), a group's (S...), or @here")
    folder.write("alerter.yaml", "receivers: [{name: ml-costs, console: {}}]\n")
    assert not [each for each in check_offline(folder.load()) if "mention" in each.text]


def test_a_changed_secret_is_read_anew(folder: Folder) -> None:
    folder.write("alerter.yaml", RECEIVERS)
    before = folder.load()
    folder.environ["PAGER_URL"] = "discord://a/b"
    after = folder.load()
    assert (len(before.receiver_secrets), len(after.receiver_secrets)) == (0, 1)
    assert before.digest == after.digest


BAD = [
    ("webhook: {}", "1:32", "a webhook needs either `url: https://...` or `url_from: NAME` of a secret"),
    ("webhook: {url: 'https://x.example', url_from: X_URL}", "1:32", "a webhook needs either"),
    ("webhook: {url: x.example/y}", "1:38", "expected http://... or https://..."),
    ("webhook: {url: 'ftp://x.example/y'}", "1:38", "expected http://... or https://..."),
    ("webhook: {url: 'https://me:hunter2@x.example/'}", "1:38", "a secret must not stand in an address: put the whole"),
    ("webhook: {url: 'https://x.example/?token=hunter2'}", "1:38", "name that: `url_from: NAME`"),
    ("webhook: {url: 'https://hooks.slack.com/services/hunter2'}", "1:38", "a secret must not stand in an address"),
    ("webhook: {url: 'https://x.example', secret: hunter2}", "1:67", "expected the name of an environment variable"),
    ("webhook: {url_from: 'https://x.example/hunter2'}", "1:43", "the value itself must not stand in YAML"),
    ("apprise: {}", "1:32", "apprise needs 'url_from'"),
    ("apprise: {url: 'discord://hunter2/x'}", "1:33", "url"),
    ("apprise: {url_from: 'discord://hunter2/x'}", "1:43", "such as FINANCE_URL"),
    ("console: {}, fallback: b", "1:46", "unknown receiver 'b'; receivers are a"),
    ("console: {}, fallback: a", "1:46", "a receiver can't take over from itself"),
]


@pytest.mark.parametrize(("text", "place", "words"), BAD)
def test_a_mistake_says_what_to_write_and_shows_no_secret(
    alone: Callable[[str, str], list[str]], text: str, place: str, words: str
) -> None:
    problems = alone("alerter.yaml", f"receivers: [{{name: a, {text}}}]\n")
    found = [each for each in problems if each.startswith(f"config/alerter.yaml:{place}: ")]
    assert any(words in each for each in found), problems
    assert "hunter2" not in "\n".join(problems)
