"""Mistakes in `tags:`, and budgets that name a value which is not known."""

import pytest

from tests.config.conftest import Folder

MISTAKES = [
    ("tags: {derive: {team: /teams/*}}", "1:23", "expected a pattern with {team} in it once"),
    ('tags: {derive: {team: "{team}/{team}"}}', "1:23", "in it once"),
    ('tags: {derive: {team: "/{project}/{team}"}}', "1:23", "in it once"),
    ('tags: {derive: {user: "/{user}/*"}}', "1:17", "'user' is built in"),
    ("tags: {known_values: {team: [vision]}, aliases: {team: {cv: visoin}}}", "1:61", "did you mean 'vision'?"),
]


@pytest.mark.parametrize(("text", "place", "words"), MISTAKES)
def test_mistakes(folder: Folder, text: str, place: str, words: str) -> None:
    folder.write("alerter.yaml", text)
    (problem,) = folder.problems()
    assert problem.startswith(f"config/alerter.yaml:{place}: ")
    assert words in problem


def test_a_budget_names_only_known_values(folder: Folder) -> None:
    folder.write("alerter.yaml", "tags: {casefold: [team], known_values: {team: [Vision, nlp]}}")
    folder.write(
        "budgets.yaml",
        """\
        defaults: {period: daily, receivers: console}
        budgets:
          - {name: a, amount: 1, match: {team: [VISION, "v*", visoin]}}
          - {name: b, amount: 1, group_by: team, overrides: [{team: (unknown), amount: 2}, {team: nlq, amount: 2}]}
        """,
    )
    first, second = folder.problems()
    assert first.startswith("config/budgets.yaml:3:")
    assert "team 'visoin' is none of tags.known_values in alerter.yaml; did you mean 'vision'?" in first
    assert "team 'nlq'" in second
