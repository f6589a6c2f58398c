"""Budgets: whom they match, what they allow, when they warn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import lru_cache

from alerter.core.derivation import derived
from alerter.core.periods import PeriodSpec
from alerter.core.rules import AlertRules
from alerter.core.usage import Pairs

UNTAGGED = "(untagged)"
"""The scope value of runs that lack a tag which ``group_by`` names."""

UNKNOWN = "(unknown)"
"""The value of a tag that has one, but none of those that are known."""

Scope = Pairs
"""The tag values that a scope stands for, in the order of ``group_by``; ``()`` without one."""


class Basis(StrEnum):
    """What a threshold is compared with: what was spent, what will have been by the period's end, or one run's cost."""

    ACTUAL = "actual"
    FORECAST = "forecast"
    RUN = "run"


Reach = Callable[[str, Scope], bool]
"""Given a budget's name and a scope of it: whether somebody may ask about it and act on it."""


def everything(_budget: str, _scope: Scope) -> bool:
    """Reach every budget."""
    return True


@dataclass(frozen=True, slots=True)
class Threshold:
    """A level at which to warn.

    Attributes:
        basis: actual or forecast.
        percent: whole percent of the amount.
        receivers: names that replace the budget's; None keeps them.
        mention: Slack handle to mention, from the configuration only.
    """

    basis: Basis
    percent: int
    receivers: tuple[str, ...] | None = None
    mention: str | None = None

    def __str__(self) -> str:
        if self.basis is Basis.RUN:
            return "per_run"
        return f"forecast {self.percent}%" if self.basis is Basis.FORECAST else f"{self.percent}%"


@dataclass(frozen=True, slots=True)
class Override:
    """Another amount or owner for the scopes whose tag values match ``where``."""

    where: Pairs
    amount_nanos: int | None = None
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Budget:
    """One budget of ``budgets.yaml``, checked.

    Attributes:
        id: survives edits; the name unless given.
        match: tag key -> patterns (exact or glob), one of which must match; all keys must.
        group_by: tag keys; one scope per combination of their values.
        amounts: ``(from local day, nanos)``, ascending; the first holds from ``date.min``.
        receivers: names, ``{tag}`` templated by the scope; see `receivers_for`.
        beyond: after the highest actual threshold >= 100, warn at every further so many percent; 0 is never.
        per_run_nanos: what one run may cost within the budget before it is told, from its start; None is never.
        components: of machines, storage, tokens; empty is all.
        rules: when its alerts are told.
        source: ``file:line`` where it was written, for messages.
    """

    id: str
    name: str
    period: PeriodSpec
    timezone: str
    currency: str
    amounts: tuple[tuple[date, int], ...]
    match: tuple[tuple[str, tuple[str, ...]], ...] = ()
    group_by: tuple[str, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    beyond: int = 25
    receivers: tuple[str, ...] = ()
    overrides: tuple[Override, ...] = ()
    per_run_nanos: int | None = None
    components: tuple[str, ...] = ()
    owner: str | None = None
    rules: AlertRules = field(default_factory=AlertRules)
    source: str = field(default="", compare=False)

    def amount_on(self, scope: Scope, day: date) -> int:
        """Return the amount in nanos that is in force for a scope on a local day: its override, else the dated one."""
        for override in self.overrides:
            if override.amount_nanos is not None and _covers(override.where, scope):
                return override.amount_nanos
        return next(nanos for start, nanos in reversed(self.amounts) if start <= day)

    def least_amount_on(self, day: date) -> int:
        """Return the smallest amount in nanos that is in force for any scope on a local day."""
        dated = next(nanos for start, nanos in reversed(self.amounts) if start <= day)
        return min([dated, *(each.amount_nanos for each in self.overrides if each.amount_nanos is not None)])

    def owner_of(self, scope: Scope) -> str | None:
        """Return the scope's owner: its override's, else the budget's."""
        for override in self.overrides:
            if override.owner is not None and _covers(override.where, scope):
                return override.owner
        return self.owner


@dataclass(frozen=True, slots=True)
class TagCleaning:
    """How tag values are cleaned before they are matched: trimmed, case-folded, renamed by aliases, then known or not.

    Attributes:
        aliases: key -> {value: name}; values are compared after trimming and folding.
        known: key -> the values that there are, cleaned; every other one is `UNKNOWN`.
        derive: key -> patterns of experiments' names, for runs that lack the tag; see `alerter.core.derivation`.
    """

    trim: bool = True
    casefold: frozenset[str] = frozenset()
    aliases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    known: Mapping[str, frozenset[str]] = field(default_factory=dict)
    derive: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def clean(self, key: str, value: str) -> str:
        """Return the value that matching and grouping see."""
        value = self.spelled(key, value)
        known = self.known.get(key)
        return value if known is None or value in known or not value else UNKNOWN

    def spelled(self, key: str, value: str) -> str:
        """Return a value as it is spelled, whether it is known or not."""
        if self.trim:
            value = value.strip()
        if key in self.casefold:
            value = value.casefold()
        return self.aliases.get(key, {}).get(value, value)

    def clean_all(self, tags: Pairs) -> dict[str, str]:
        """Return cleaned tags as a dict; blank values are dropped: they are no tag. Lacking ones may be derived."""
        cleaned = ((key, self.clean(key, value)) for key, value in tags)
        found = {key: value for key, value in cleaned if value}
        for key, patterns in self.derive.items():
            if key not in found and (value := derived(key, patterns, found.get("experiment", ""))):
                found[key] = self.clean(key, value)
        return found


def scope_of(budget: Budget, tags: Mapping[str, str]) -> Scope | None:
    """Return the budget's scope for cleaned tags, or None where it doesn't match."""
    for key, patterns in budget.match:
        value = tags.get(key)
        if value is None or not any(matches(pattern, value) for pattern in patterns):
            return None
    return tuple((key, tags.get(key, UNTAGGED)) for key in budget.group_by)


def matches(pattern: str, value: str) -> bool:
    """Whether a value equals a pattern or matches it as a case-sensitive glob (``*``, ``?``, ``[...]``)."""
    return pattern == value or (is_glob(pattern) and fnmatchcase(value, pattern))


@lru_cache(maxsize=4096)
def is_glob(pattern: str) -> bool:
    """Whether a pattern has a wildcard."""
    return any(sign in pattern for sign in "*?[")


def receivers_for(templates: Iterable[str], scope: Scope, known: frozenset[str]) -> tuple[str, ...]:
    """Return the receivers that are told about a scope.

    Plain names are all told. Of templated names (``{team}-costs``) the scope's own is told where it exists; then the
    plain names after it are its fallback and are left out.
    """
    chosen: list[str] = []
    for template in templates:
        name = filled(template, scope)
        if name not in known or name in chosen:
            continue
        if name != template:
            return (*chosen, name)
        chosen.append(name)
    return tuple(chosen)


def filled(template: str, scope: Scope) -> str:
    """Return a receiver's name with the scope's tag values in it."""
    for key, value in scope:
        template = template.replace("{" + key + "}", value)
    return template


def _covers(where: Pairs, scope: Scope) -> bool:
    values = dict(scope)
    return all(key in values and matches(pattern, values[key]) for key, pattern in where)
