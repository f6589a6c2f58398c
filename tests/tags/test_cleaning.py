"""How a run's tags are read: spelled, known, or derived from its experiment's name."""

import pytest

from alerter.core.budgets import UNKNOWN, TagCleaning
from alerter.core.derivation import derived

CLEANING = TagCleaning(
    casefold=frozenset({"team"}),
    aliases={"team": {"computer vision": "vision"}},
    known={"team": frozenset({"vision", "nlp"})},
    derive={"team": ("/teams/{team}/*", "{team}-hpo-*")},
)


@pytest.mark.parametrize(
    ("tag", "experiment", "team"),
    [
        (" Vision ", "x", "vision"),
        ("Computer Vision", "x", "vision"),
        ("visoin", "x", UNKNOWN),
        ("(unknown)", "x", UNKNOWN),
        ("nlp", "/teams/vision/resnet", "nlp"),  # the run's own word goes first
        (None, "/teams/Vision/resnet", "vision"),
        ("  ", "/teams/computer vision/a/b", "vision"),  # a blank tag is no tag
        (None, "/teams/robots/arm", UNKNOWN),
        (None, "NLP-hpo-3", "nlp"),
        (None, "/teams/vision", None),
        (None, "elsewhere", None),
    ],
)
def test_a_team(tag: str | None, experiment: str, team: str | None) -> None:
    tags = (("experiment", experiment), *([] if tag is None else [("team", tag)]))
    assert CLEANING.clean_all(tags).get("team") == team


@pytest.mark.parametrize(
    ("pattern", "experiment", "value"),
    [
        ("/teams/{team}/*", "/teams/a/b/c", "a"),
        ("/teams/{team}", "/teams/a/b", None),
        ("{team}", "a", "a"),
        ("{team}-*", "a-b-c", "a"),
        ("*/{team}", "x/y/a", "a"),
        ("v?-{team}", "v2-a", "a"),
        ("(x)+{team}", "(x)+a", "a"),
        ("[ab]{team}", "ac", None),
        ("/teams/{team}/*", "/teams/a/b\nc", "a"),
    ],
)
def test_a_pattern(pattern: str, experiment: str, value: str | None) -> None:
    assert derived("team", (pattern,), experiment) == value
