"""Which tag is proposed, and what an amount leaves room for."""

from collections import Counter
from pathlib import Path

import pytest

from alerter.config import load
from alerter.onboarding import Answers, Proposal, files
from alerter.onboarding.proposal import Spent, candidates, derivable
from alerter.onboarding.survey import Survey


def survey(**tags: dict[str, int]) -> Survey:
    runs = max(sum(each.values()) for each in tags.values())
    return Survey(0, runs=runs, tags={key: Counter(values) for key, values in tags.items()})


TEAMS = {"a": 50, "b": 50}
EXPERIMENTS = {"/teams/a/x": 30, "/teams/b/x": 30, "/teams/b/y": 30, "scratch": 10}


@pytest.mark.parametrize(
    ("tags", "likely"),
    [
        ({"trial": {str(each): 1 for each in range(400)}}, []),  # names runs
        ({"stage": {"dev": 100}}, []),  # tells nothing apart
        ({"stage": TEAMS, "team": TEAMS}, ["team", "stage"]),
        ({"stage": TEAMS, "Team": {"a": 20, "b": 20}}, ["stage", "Team"]),  # most runs lack it
        ({"stage": TEAMS, "team": {"a": 5, "b": 5}}, ["stage"]),
        ({"user": TEAMS, "experiment": TEAMS}, []),
    ],
)
def test_the_likeliest_tag_comes_first(tags: dict[str, dict[str, int]], likely: list[str]) -> None:
    assert candidates(survey(**tags)) == likely


@pytest.mark.parametrize(
    ("tags", "pattern"),
    [
        ({"experiment": EXPERIMENTS}, "/teams/{team}/*"),
        ({"experiment": {"t/a/x": 9, "t/b/y": 9}}, "t/{team}/*"),
        ({"experiment": EXPERIMENTS, "team": TEAMS}, None),  # a tag does it
        ({"experiment": EXPERIMENTS, "team": {"a": 5, "b": 5}}, "/teams/{team}/*"),
        ({"experiment": {"/teams/a/x": 90, "/teams/a/y": 10}}, None),  # one team
        ({"experiment": {"/a/x": 50, "/b/x": 50}}, None),
        ({"experiment": {"/teams/a/x": 10, "/teams/b/x": 10, "other": 80}}, None),
        ({"experiment": {"{x}/a/x": 50, "{x}/b/x": 50}}, None),
    ],
)
def test_experiments_names_tell_teams_where_no_tag_does(tags: dict[str, dict[str, int]], pattern: str | None) -> None:
    assert derivable(survey(**tags)) == pattern


@pytest.mark.parametrize("folded", [True, False])
def test_what_is_read_out_of_names_stands_in_the_files(tmp_path: Path, *, folded: bool) -> None:
    answers = Answers("http://mlflow:5000", tag="team", derive="/teams/{team}/*")
    proposal = Proposal(Spent("", 0, 100), values=(Spent("(untagged)", 1, 20), Spent("a: b", 1, 20)), folded=folded)
    for name, text in files(answers, survey(experiment=EXPERIMENTS), proposal).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    config = load(tmp_path, {})
    assert config.tags.derive == {"team": ("/teams/{team}/*",)}
    assert config.tags.casefold == ({"team"} if folded else set())
    assert [each.where for each in config.budgets[1].overrides] == [(("team", "(untagged)"),), (("team", "a: b"),)]
