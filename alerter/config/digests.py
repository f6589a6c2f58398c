"""``digests:`` of ``alerter.yaml`` -> the domain's `DigestSpec`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import time
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from alerter.config.alert_rules import Clock
from alerter.config.budget_models import Weekday
from alerter.config.fields import Name, OneOrMany, Text, Zone
from alerter.config.problems import did_you_mean, one_of, shown
from alerter.config.sections import Section
from alerter.config.yaml_files import Document
from alerter.core.budgets import Budget, is_glob, matches
from alerter.core.digests import DigestSpec, Every

ALL = "all"
NINE = time(9)


class DigestSection(Section):
    """What a receiver reads of its budgets every day or week."""

    label: ClassVar[str] = "a digest"
    name: Name | None = Field(None, description="by which it is counted as sent; default: daily or weekly")
    receivers: Annotated[OneOrMany[Name], Field(min_length=1)]
    every: Literal["daily", "weekly"]
    at: Clock | None = Field(None, description='local time; default: "09:00"')
    on: Weekday | None = Field(None, description="the day of a weekly one; default: monday")
    weekdays_only: bool | None = Field(None, description="a daily one doesn't come at weekends")
    timezone: Zone | None = Field(None, description="default: the one that most budgets have")
    budgets: Annotated[OneOrMany[Text], Field(min_length=1)] | None = Field(
        None, description="names, globs, or all; default: those whose alerts the receiver gets"
    )


def read_digests(
    document: Document, sections: Iterable[DigestSection], receivers: Iterable[str], budgets: Sequence[Budget]
) -> tuple[DigestSpec, ...]:
    """Return the digests of a file; what is wrong is added to the document's problems."""
    known, taken = list(receivers), set[str]()
    zones = Counter(each.timezone for each in budgets)
    zone = max(zones, key=lambda each: zones[each], default="UTC")
    found = []
    for index, each in enumerate(sections):
        loc = ("digests", index)
        name = each.name or each.every
        if name in taken:
            what = f"digest {shown(name)} stands twice" if each.name else f"two digests are {name}"
            document.report(loc, f"{what}: give each a 'name' of its own")
        taken.add(name)
        _check(document, index, each, known, budgets)
        found.append(
            DigestSpec(
                name=name,
                receivers=each.receivers,
                every=Every(each.every),
                at=each.at or NINE,
                timezone=each.timezone or zone,
                weekday=each.on or 0,
                weekdays_only=bool(each.weekdays_only),
                budgets=("*",) if each.budgets == (ALL,) else each.budgets or (),
            )
        )
    return tuple(found)


def _check(
    document: Document, index: int, section: DigestSection, receivers: Sequence[str], budgets: Sequence[Budget]
) -> None:
    loc = ("digests", index)
    if section.every == Every.DAILY.value and section.on is not None:
        document.report(
            (*loc, "on"), "only a weekly digest has a day: write weekdays_only, or every: weekly", at_key=True
        )
    if section.every == Every.WEEKLY.value and section.weekdays_only is not None:
        document.report(
            (*loc, "weekdays_only"), "only a daily digest has weekdays_only: a weekly one has 'on'", at_key=True
        )
    for place, name in enumerate(section.receivers):
        if name not in receivers:
            hint = did_you_mean(name, receivers) or f"; receivers are {one_of(receivers)}"
            document.report((*loc, "receivers", place), f"unknown receiver {shown(name)}{hint}")
    names = [each.name for each in budgets]
    for place, pattern in enumerate(section.budgets or ()):
        if names and pattern != ALL and not any(matches(pattern, each) for each in names):
            what = "no budget fits" if is_glob(pattern) else "unknown budget"
            document.report((*loc, "budgets", place), f"{what} {shown(pattern)}{did_you_mean(pattern, names)}")
