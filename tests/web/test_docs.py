"""What stands in docs/ is what there is."""

import re
from pathlib import Path

import pytest

from alerter.metrics import Metrics
from alerter.slack_requests.grammar import VERBS, Unclear, parse
from alerter.web.app import create_app
from alerter.web.slack import slack_routes
from tests.fixtures.window_data import services

DOCS = Path(__file__).parents[2] / "docs"
WEB = (DOCS / "web.md").read_text(encoding="utf-8")
SLACK = (DOCS / "slack.md").read_text(encoding="utf-8")


def test_every_metric_is_explained_and_no_other() -> None:
    there = {line.split()[2] for line in Metrics("0").render().decode().splitlines() if line.startswith("# HELP")}
    there = {name for name in there if not name.endswith("_created")}
    assert set(re.findall(r"^\| `(alerter_\w+)`", WEB, re.MULTILINE)) == there


def test_every_path_is_explained() -> None:
    routes = [*create_app(services()).routes, *slack_routes(services()).routes]
    paths = {route.path for route in routes if hasattr(route, "path")}
    unexplained = {path for path in paths if f"`{path}`" not in WEB} - {"/static", "/login"}
    assert not unexplained


@pytest.mark.parametrize("typed", re.findall(r"`/budget ?([^`]*)`", SLACK))
def test_every_command_in_the_docs_is_understood(typed: str) -> None:
    assert not isinstance(parse(typed), Unclear)


def test_every_command_is_in_the_docs() -> None:
    assert {each for each in VERBS if f"/budget {each}" in SLACK} == set(VERBS)
