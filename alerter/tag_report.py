"""How tags are used: their values, those that look alike, and runs that no budget counts."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from alerter.config import Config
from alerter.config.tags import BUILT_IN
from alerter.core.budgets import UNKNOWN, TagCleaning, scope_of
from alerter.store.tag_use import sets_in_use
from alerter.store.totals import View

_COMPARED = 300
"""Values of a tag that are compared with each other, the most used ones."""

_ALIKE = 0.82
_SHORTEST = 4


@dataclass(slots=True)
class TagUse:
    """How one tag is used.

    Attributes:
        values: how many runs have each value, cleaned.
        spellings: of each value that is written in more than one way, all of them.
        derived: runs that have it by their experiment's name alone.
        unknown: values that are none of ``tags.known_values``.
    """

    key: str
    values: Counter[str] = field(default_factory=Counter)
    spellings: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    derived: int = 0
    unknown: Counter[str] = field(default_factory=Counter)

    @property
    def runs(self) -> int:
        """How many runs have it."""
        return self.values.total()


@dataclass(frozen=True, slots=True)
class LookAlike:
    """Two values of a tag that may be one, the rarer first, and the line of alerter.yaml that unites them."""

    key: str
    value: str
    runs: int
    like: str
    like_runs: int
    line: str


@dataclass(frozen=True, slots=True)
class TagReport:
    """What was found.

    Attributes:
        runs: in the ledger.
        tags: that people set, the most used first.
        alike: values that look alike, and values that are unknown with the known one that they look like.
        uncounted: runs that no budget counts, by their experiment.
        lacking: for each tag that a budget groups by, the runs that lack it, by their experiment.
    """

    runs: int
    tags: tuple[TagUse, ...]
    alike: tuple[LookAlike, ...]
    uncounted: Counter[str]
    lacking: Mapping[str, Counter[str]]

    def as_json(self) -> dict[str, Any]:
        """Return it for scripts."""
        return {
            "runs": self.runs,
            "tags": [
                {
                    "key": each.key,
                    "runs": each.runs,
                    "derived": each.derived,
                    "values": dict(each.values.most_common()),
                    "unknown": dict(each.unknown.most_common()),
                }
                for each in self.tags
            ],
            "alike": [
                {
                    "key": each.key,
                    "values": [each.value, each.like],
                    "runs": [each.runs, each.like_runs],
                    "line": each.line,
                }
                for each in self.alike
            ],
            "uncounted": dict(self.uncounted.most_common()),
            "lacking": {key: dict(found.most_common()) for key, found in self.lacking.items()},
        }


def tag_report(view: View, config: Config) -> TagReport:
    """Return how the runs of a ledger are tagged, and which of them no budget counts."""
    used: Counter[int] = Counter()
    for each in sets_in_use(view.connection):
        used[each.tag_set_id] += each.runs
    sets = view.interner.tag_sets.all(view.connection)
    uses: dict[str, TagUse] = {}
    uncounted: Counter[str] = Counter()
    grouped = {key for budget in config.budgets for key in budget.group_by} - BUILT_IN
    lacking: dict[str, Counter[str]] = {key: Counter() for key in sorted(grouped)}
    for tag_set_id, runs in used.items():
        raw, cleaned = dict(sets[tag_set_id]), config.tags.clean_all(sets[tag_set_id])
        _add(uses, config.tags, raw, cleaned, runs)
        experiment = raw.get("experiment", "")
        if not any(scope_of(budget, cleaned) is not None for budget in config.budgets):
            uncounted[experiment] += runs
        for key in grouped - cleaned.keys():
            lacking[key][experiment] += runs
    tags = tuple(sorted(uses.values(), key=lambda each: (each.key not in grouped, -each.runs, each.key)))
    alike = tuple(found for each in tags for found in _look_alikes(each, config.tags))
    return TagReport(used.total(), tags, alike, uncounted, lacking)


def _add(
    uses: dict[str, TagUse], cleaning: TagCleaning, raw: Mapping[str, str], cleaned: Mapping[str, str], runs: int
) -> None:
    for key, value in cleaned.items():
        if key in BUILT_IN:
            continue
        use = uses.setdefault(key, TagUse(key))
        use.values[value] += runs
        written = raw.get(key, "").strip()
        if not written:
            use.derived += runs
            continue
        use.spellings[value][raw[key]] += runs
        if value == UNKNOWN:
            use.unknown[cleaning.spelled(key, written)] += runs


def _look_alikes(use: TagUse, cleaning: TagCleaning) -> Iterator[LookAlike]:
    """Yield each rarer value beside the most used one that it looks like; of unknown ones, beside a known one.

    None of a tag that has another value on every other run: it names runs, and these may well look alike.
    """
    if len(use.values) > _COMPARED and len(use.values) * 2 > use.runs:
        return
    most = [value for value, _ in use.values.most_common(_COMPARED) if value != UNKNOWN]
    for place, value in enumerate(most):
        if like := _like(value, most[:place]):
            line = _line(use.key, value, like)
            yield LookAlike(use.key, value, use.values[value], like, use.values[like], line)
    known = sorted(cleaning.known.get(use.key, ()))
    for value, runs in use.unknown.most_common(_COMPARED):
        if like := _like(value, known):
            yield LookAlike(use.key, value, runs, like, use.values[like], _line(use.key, value, like))


def _like(value: str, others: Sequence[str]) -> str | None:
    same = next((each for each in others if _bare(each) == _bare(value)), None)
    if same is not None or len(value) < _SHORTEST:
        return same
    # team-1 and team-2 are two teams: what differs only in its digits is meant to differ.
    words = [each for each in others if _letters(each) != _letters(value)]
    close = get_close_matches(value, words, n=1, cutoff=_ALIKE)
    return close[0] if close else None


def _bare(value: str) -> str:
    return "".join(sign for sign in value.casefold() if sign.isalnum()) or value


def _letters(value: str) -> str:
    return "".join(sign for sign in value.casefold() if not sign.isdigit())


def _line(key: str, value: str, like: str) -> str:
    name = json.dumps(key, ensure_ascii=False)
    if value.casefold() == like.casefold():
        return f"casefold: [{name}]"
    return f"aliases: {{{name}: {{{json.dumps(value, ensure_ascii=False)}: {json.dumps(like, ensure_ascii=False)}}}}}"
