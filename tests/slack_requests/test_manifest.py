"""The app that the manifest creates has what the program uses, and no more."""

from pathlib import Path
from typing import Any

import yaml

from alerter.slack_requests.grammar import VERBS, Unclear, parse

PATH = Path(__file__).parents[2] / "config" / "slack-app-manifest.yaml"


def manifest(text: str = "") -> Any:  # noqa: ANN401 - YAML
    return yaml.safe_load(text or PATH.read_text(encoding="utf-8"))


def test_it_uses_socket_mode_and_asks_for_six_scopes() -> None:
    app = manifest()
    assert app["settings"]["socket_mode_enabled"] is True
    assert app["settings"]["interactivity"]["is_enabled"] is True
    assert sorted(app["oauth_config"]["scopes"]["bot"]) == [
        "channels:history",
        "channels:read",
        "chat:write",
        "commands",
        "groups:history",
        "groups:read",
    ]


def test_it_stays_within_slacks_limits() -> None:
    app = manifest()
    (command,) = app["features"]["slash_commands"]
    assert len(app["display_information"]["name"]) <= 35
    assert len(app["display_information"]["description"]) <= 140
    assert len(command["description"]) <= 2000
    assert len(command["usage_hint"]) <= 1000
    assert "_" not in command  # no key is misspelt: these are Slack's
    assert set(command) == {"command", "description", "usage_hint", "should_escape"}


def test_its_hint_is_understood_by_the_grammar() -> None:
    (command,) = manifest()["features"]["slash_commands"]
    hints = [each.strip() for each in command["usage_hint"].strip("[]").replace("ID|NAME", "A-7F3K").split("|")]
    assert {each.split()[0] for each in hints} == set(VERBS)
    assert not [each for each in hints if isinstance(parse(each), Unclear)]


def test_http_is_two_addresses_away() -> None:
    text = PATH.read_text(encoding="utf-8").replace("# url:", "url:").replace("# request_url:", "request_url:")
    app = manifest(text)
    assert app["features"]["slash_commands"][0]["url"].endswith("/slack/commands")
    assert app["settings"]["interactivity"]["request_url"].endswith("/slack/interactions")
