"""What a run pays beside others: rules 9 and 10 of the oracle. It shares no code with the program.

9.  A run is free over the time of the nearest run above it that names a priced machine, unless it names another one
    itself. One that names none is priced as that run's outside of its time, and is on its machine.
    (Tried without edits of prices.)
10. Runs that name one `resource_id` and pay a price for it at the same time (rules 8 and 9) pay each an equal part of
    its own rates. Time is cut where the set of them changes, and not where it was once thought to; of each part's nanos
    those left over go to the first by name, one each. Where one joins or leaves, the others count up to there, also if
    the poll that saw it broke off: then their prices are looked at, too (rule 6).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, zip_longest

from tests.truth.oracle import Story
from tests.truth.tariff import FOREVER, Line, Tariff, joined


def is_own_machine(usage: dict[str, str], above: dict[str, str]) -> bool:
    """Rule 9: whether a nested run names another machine than the run above."""
    parts = ("instance_type", "gpu_count", "cpu_cores", "memory_request", "resource_id")
    if any(part in usage and usage[part] != above.get(part) for part in parts):
        return True
    nodes = usage.get("num_workers", "")
    return "instance_type" in usage and nodes.isdigit() and nodes != above.get("num_workers")


def beside(
    lines: Sequence[Line], above: Sequence[Line], usage: dict[str, str], tariff: Tariff, complete: int
) -> list[Line]:
    """Rule 9: what is left of a run's time beside the time of the run above, painted anew."""
    marks = sorted({at for line in (*lines, *above) for at in (line.start, line.end)})
    story = Story()
    at: int | None = None
    for low, high in zip_longest(marks, marks[1:]):
        is_paid = high is not None and any(line.start <= low < line.end for line in lines)
        is_paid = is_paid and not any(line.start <= low < line.end for line in above)
        if is_paid and at is None:
            at = low
        if not is_paid and at is not None:
            if low < FOREVER:
                story._paint(tariff, usage, at, low)
            else:
                story.since = at
                story._paint_open(tariff, usage, complete)
                story.lines.append(Line(story.since, FOREVER, story.plan))
            at = None
    return story.lines


def shared(on_it: dict[str, list[Line]]) -> dict[str, list[Line]]:
    """Rule 10: what runs pay that name one machine, by their names."""
    runs = {name: joined(lines) for name, lines in on_it.items()}
    stretches: list[tuple[int, int, list[str]]] = []
    for low, high in pairwise(_marks(runs)):
        there = sorted(_there(runs, low))
        since = stretches.pop()[0] if stretches and stretches[-1][2] == there else low
        stretches.append((since, high, there))
    return {
        name: [
            Line(max(line.start, low), min(line.end, high), line.plan, there.index(name) + 1, len(there))
            for line in lines
            for low, high, there in stretches
            if name in there and max(line.start, low) < min(line.end, high)
        ]
        for name, lines in runs.items()
    }


def met(before: dict[str, list[Line]], after: dict[str, list[Line]]) -> dict[str, int]:
    """Rule 10: where the runs on one machine last met others, if that changed, by the lines before and after a poll."""
    changed: set[str] = set()
    last: dict[str, int] = {}
    earlier: set[str] = set()
    for at in _marks(before, after):
        here, now = _there(before, at), _there(after, at)
        changed |= {name for name in now if (here ^ now) - {name}}
        last |= dict.fromkeys(now if now != earlier else (), at)
        earlier = now
    return {name: last[name] for name in changed}


def _marks(*on_it: dict[str, list[Line]]) -> list[int]:
    return sorted({at for each in on_it for lines in each.values() for line in lines for at in (line.start, line.end)})


def _there(on_it: dict[str, list[Line]], at: int) -> set[str]:
    """Who pays a price for the machine at an instant."""
    return {
        name
        for name, lines in on_it.items()
        if any(each.start <= at < each.end and any(price for _, price, _ in each.plan) for each in lines)
    }
