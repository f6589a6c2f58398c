"""Runs that name one machine at the same time: each pays an equal part of what it costs, to the nano."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from alerter.core.charges import TOTAL, ChargeLine, Confidence, EqualPart, Rate
from alerter.core.metering import Segment
from alerter.core.nesting import COVERED, merged

Slice = tuple[int, int, EqualPart]
"""``(start_ms, end_ms, share)``: time in which the same runs share a machine."""

Plan = tuple[tuple[Rate, int], ...]
"""Rates and quantities that hold at once."""


def share_out(held: Mapping[str, Sequence[Segment]], wanted: Collection[str]) -> dict[str, list[Slice]]:
    """Return how the time of each wanted run is cut wherever the runs change that hold the machine.

    Args:
        held: by run, when it holds the machine. The order of their names is the order of their parts.
        wanted: the runs that are asked for, among those.
    """
    edges: dict[int, set[str]] = {}
    for name, segments in held.items():
        for segment in merged(each for each in segments if each[0] < each[1]):
            for at_ms in segment:
                edges.setdefault(at_ms, set()).add(name)
    found: dict[str, list[Slice]] = {name: [] for name in wanted}
    present: set[str] = set()
    for since, until in pairwise(sorted(edges)):
        present ^= edges[since]
        for place, name in enumerate(sorted(present), 1):
            if name in found:
                found[name].append((since, until, (place, len(present))))
    return found


def holds_machine(rate: Rate) -> bool:
    """Whether time at a rate is time on a machine that has a price, and that its run pays for by that price."""
    return _is_by_time(rate) and rate.confidence is not Confidence.GAP


def cut(lines: Iterable[ChargeLine], slices: Sequence[Slice]) -> Iterator[ChargeLine]:
    """Yield lines with the share that each slice of their time has; time in none of the slices stays as it is."""
    for line in lines:
        if not _is_by_time(line.rate) or line.start_ms == line.end_ms:
            yield line
            continue
        at_ms = line.start_ms
        for since, until, share in slices:
            low, high = max(line.start_ms, since), min(line.end_ms, until)
            if low < high:
                if at_ms < low:
                    yield replace(line, start_ms=at_ms, end_ms=low)
                yield ChargeLine(replace(line.rate, share=share), line.quantity, low, high)
                at_ms = high
        if at_ms < line.end_ms:
            yield replace(line, start_ms=at_ms)


def cut_open(since_ms: int, plan: Plan, slices: Sequence[Slice]) -> tuple[list[ChargeLine], int, Plan]:
    """Return what of an accruing stretch is settled, where the rest begins, and at what that accrues."""
    ahead = [each for each in slices if each[1] > since_ms]
    if not ahead or not any(holds_machine(rate) for rate, _ in plan):
        return [], since_ms, plan
    *_, (start, _, share) = ahead
    begins = max(start, since_ms)
    settled = [ChargeLine(rate, quantity, since_ms, begins) for rate, quantity in plan if since_ms < begins]
    return list(cut(settled, ahead)), begins, tuple((replace(rate, share=share), each) for rate, each in plan)


def rejoined(lines: Sequence[ChargeLine], since_ms: int | None, plan: Plan) -> tuple[Sequence[ChargeLine], int | None]:
    """Return settled lines and where the open stretch begins, which takes in what touches it at the same rates."""
    if since_ms is None or not plan:
        return lines, since_ms
    touching = {(line.rate, line.quantity): line for line in lines if line.start_ms < line.end_ms == since_ms}
    if set(touching) != set(plan):
        return lines, since_ms
    begins = max(line.start_ms for line in touching.values())
    kept = [line for line in lines if (line.rate, line.quantity) not in touching or line.end_ms != since_ms]
    kept += [replace(line, end_ms=begins) for line in touching.values() if line.start_ms < begins]
    return kept, begins


def overlaps(segments: Sequence[Segment], others: Sequence[Segment]) -> bool:
    """Whether any of some segments lies over any of others, which are ascending and disjoint."""
    for start, end in segments:
        place = bisect_left(others, end, key=lambda each: each[0])
        if place and others[place - 1][1] > start:
            return True
    return False


def differing(before: Sequence[Segment], after: Sequence[Segment]) -> list[Segment]:
    """Return the time that lies in one of two lists of disjoint segments and not in the other."""
    edges = sorted({at_ms for segment in (*before, *after) for at_ms in segment})
    return [part for part in pairwise(edges) if overlaps([part], before) != overlaps([part], after)]


def _is_by_time(rate: Rate) -> bool:
    """Whether a rate is neither of time that another run pays for, nor a cost that is known as a whole."""
    return rate.pricing_unit not in {COVERED, TOTAL}
