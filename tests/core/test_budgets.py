"""Whom a budget matches, what it allows on which day, who is told."""

from __future__ import annotations

from datetime import date

import pytest

from alerter.core.budgets import (
    UNTAGGED,
    Budget,
    Override,
    TagCleaning,
    matches,
    receivers_for,
    scope_of,
)
from alerter.core.periods import PeriodKind, PeriodSpec

MONTHLY = PeriodSpec(PeriodKind.MONTHLY)


def budget(
    match: tuple[tuple[str, tuple[str, ...]], ...] = (),
    group_by: tuple[str, ...] = (),
    amounts: tuple[tuple[date, int], ...] = ((date.min, 100),),
    overrides: tuple[Override, ...] = (),
) -> Budget:
    return Budget("b", "b", MONTHLY, "UTC", "USD", amounts, match, group_by, overrides=overrides, owner="@all")


@pytest.mark.parametrize(
    ("pattern", "value", "fits"),
    [
        ("fraud", "fraud", True),
        ("fraud", "Fraud", False),
        ("fraud", "fraud-2", False),
        ("fraud*", "fraud-2", True),
        ("*", "", True),
        ("hpo-?", "hpo-1", True),
        ("hpo-?", "hpo-12", False),
        ("v[12]", "v2", True),
        ("v[12]", "v3", False),
        ("v[!12]", "v3", True),
        ("v[12]", "v[12]", True),  # the pattern itself is a value, too
        ("a*", "a\nb", True),
        ("*fraud", "FRAUD", False),
        ("a.c", "abc", False),
    ],
)
def test_patterns(pattern: str, value: str, *, fits: bool) -> None:
    assert matches(pattern, value) is fits


@pytest.mark.parametrize(
    ("match", "tags", "wanted"),
    [
        ((), {}, ()),
        ((("project", ("fraud",)),), {"project": "fraud"}, ()),
        ((("project", ("fraud",)),), {}, None),
        ((("project", ("*",)),), {}, None),
        ((("cc", ("cc-1", "cc-2")), ("experiment", ("hpo-*",))), {"cc": "cc-2", "experiment": "hpo-9"}, ()),
        ((("cc", ("cc-1", "cc-2")), ("experiment", ("hpo-*",))), {"cc": "cc-2"}, None),
    ],
)
def test_every_key_must_match_by_one_of_its_patterns(
    match: tuple[tuple[str, tuple[str, ...]], ...], tags: dict[str, str], wanted: object
) -> None:
    assert scope_of(budget(match), tags) == wanted


def test_scopes_are_in_the_order_of_group_by_and_never_hide_the_untagged() -> None:
    both = budget(group_by=("team", "project"))
    assert scope_of(both, {"project": "p", "team": "t"}) == (("team", "t"), ("project", "p"))
    assert scope_of(both, {"project": "p"}) == (("team", UNTAGGED), ("project", "p"))


def test_tags_are_cleaned_in_order() -> None:
    cleaning = TagCleaning(casefold=frozenset({"team"}), aliases={"team": {"computer vision": "vision"}})
    found = cleaning.clean_all((("team", "  Computer VISION "), ("project", " P "), ("blank", "  ")))
    assert found == {"team": "vision", "project": "P"}
    assert TagCleaning(trim=False).clean("team", " a ") == " a "


def test_the_amount_of_a_day() -> None:
    dated = budget(amounts=((date.min, 100), (date(2026, 3, 1), 200), (date(2026, 6, 1), 50)))
    days = [date(2025, 1, 1), date(2026, 2, 28), date(2026, 3, 1), date(2026, 5, 31), date(2026, 6, 1)]
    assert [dated.amount_on((), day) for day in days] == [100, 100, 200, 200, 50]


def test_the_first_override_that_says_something_holds() -> None:
    overrides = (
        Override((("team", "vision"),), owner="@vision"),
        Override((("team", "vis*"),), 900),
        Override((("team", "vision"),), 1, "@late"),
        Override((("other", "x"),), 2),
    )
    each = budget(group_by=("team",), overrides=overrides)
    day = date(2026, 1, 1)
    assert each.amount_on((("team", "vision"),), day) == 900
    assert each.owner_of((("team", "vision"),)) == "@vision"
    assert each.amount_on((("team", "nlp"),), day) == 100
    assert each.owner_of((("team", "nlp"),)) == "@all"


@pytest.mark.parametrize(
    ("templates", "known", "wanted"),
    [
        (("ml", "ops"), {"ml", "ops"}, ("ml", "ops")),
        (("{team}-costs", "ml"), {"vision-costs", "ml"}, ("vision-costs",)),
        (("{team}-costs", "ml"), {"ml"}, ("ml",)),
        (("ops", "{team}-costs", "ml"), {"ops", "vision-costs", "ml"}, ("ops", "vision-costs")),
        (("{team}-costs", "{project}", "ml"), {"p1", "ml"}, ("p1",)),
        (("ml", "ml"), {"ml"}, ("ml",)),
        (("{team}-costs",), {"ml"}, ()),
        (("{nothing}", "ml"), {"ml"}, ("ml",)),
    ],
)
def test_receivers(templates: tuple[str, ...], known: set[str], wanted: tuple[str, ...]) -> None:
    scope = (("team", "vision"), ("project", "p1"))
    assert receivers_for(templates, scope, frozenset(known)) == wanted


def test_a_run_without_a_tag_does_not_name_a_receiver() -> None:
    scope = (("team", UNTAGGED),)
    assert receivers_for(("{team}-costs", "ml"), scope, frozenset({"ml", "vision-costs"})) == ("ml",)
