"""How much of the run time had a price: an hour of a run counts once, however many lines charge it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from alerter.core.charges import Confidence
from alerter.core.usage import COMPONENTS, Meter

Key = TypeVar("Key", bound=Hashable)

RUN_TIME = COMPONENTS["machines"] | {Meter.LOGGED}
"""The meters whose lines are run time; bytes held and tokens used are not."""

_LEVELS = (Confidence.HIGH, Confidence.LOW, Confidence.GAP)
_WORST = (Confidence.GAP, Confidence.LOW, Confidence.HIGH)
_PLACE = {level: place for place, level in enumerate(_LEVELS)}

Span = tuple[int, int, Confidence]
"""Start and end in epoch ms of a line that stands, and how far it could be priced."""

_Spans = dict[tuple[int, int], list[int]]
"""(start, end) in epoch ms -> how many lines of each level stand over it; a reversal takes one away."""


@dataclass(slots=True)
class RunTime(Generic[Key]):
    """Lines of runs, from which their time follows: a gap if any part is one, low if any part is low, else priced.

    A run's key is whatever tells it from the others.
    """

    _spans: dict[Key, _Spans] = field(default_factory=lambda: defaultdict(dict))

    def add(self, key: Key, start_ms: int, end_ms: int, level: Confidence, sign: int = 1) -> None:
        """Add a line over ``[start, end)``; ``sign`` -1 is the reversal of one."""
        if start_ms < end_ms:
            self._counts(key, start_ms, end_ms)[_PLACE[level]] += sign

    def add_counted(self, key: Key, start_ms: int, end_ms: int, standing: Sequence[int]) -> None:
        """Add so many standing lines over ``[start, end)``: priced, of low confidence, and gaps."""
        if start_ms < end_ms:
            counts = self._counts(key, start_ms, end_ms)
            for place, count in enumerate(standing):
                counts[place] += count

    def _counts(self, key: Key, start_ms: int, end_ms: int) -> list[int]:
        return self._spans[key].setdefault((start_ms, end_ms), [0, 0, 0])

    def by_run(self) -> Iterator[tuple[Key, Mapping[Confidence, int]]]:
        """Yield each run's time in ms by level."""
        for key, spans in self._spans.items():
            yield key, _measure(spans)

    def total(self) -> dict[Confidence, int]:
        """Return the time of all runs in ms by level."""
        return add_up(times for _, times in self.by_run())


def time_of(lines: Sequence[Span]) -> Mapping[Confidence, int]:
    """Return the time of one run in ms by level."""
    if len(lines) == 1:  # nearly all
        ((start, end, level),) = lines
        return {level: end - start}
    spans: _Spans = {}
    for start, end, level in lines:
        spans.setdefault((start, end), [0, 0, 0])[_PLACE[level]] += 1
    return _measure(spans) if spans else {}


def add_up(times: Iterable[Mapping[Confidence, int]]) -> dict[Confidence, int]:
    """Return the sum of times by level; every level is there."""
    found = dict.fromkeys(Confidence, 0)
    for each in times:
        for level, span_ms in each.items():
            found[level] += span_ms
    return found


def _measure(spans: _Spans) -> dict[Confidence, int]:
    found: dict[Confidence, int] = {}
    if len(spans) == 1:
        ((start, end), counts), *_ = spans.items()
        _count(found, counts, end - start)
        return found
    # Parts of one run may begin and end apart: walk over the instants at which any of them does.
    edges: dict[int, list[int]] = {}
    for (start, end), counts in spans.items():
        for at, sign in ((start, 1), (end, -1)):
            moved = edges.setdefault(at, [0, 0, 0])
            for place, count in enumerate(counts):
                moved[place] += sign * count
    standing, since = [0, 0, 0], 0
    for at in sorted(edges):
        _count(found, standing, at - since)
        standing = [before + change for before, change in zip(standing, edges[at], strict=True)]
        since = at
    return found


def _count(found: dict[Confidence, int], counts: list[int], span_ms: int) -> None:
    level = next((each for each in _WORST if counts[_PLACE[each]] > 0), None)
    if level is not None:
        found[level] = found.get(level, 0) + span_ms
