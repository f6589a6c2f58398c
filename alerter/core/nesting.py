"""Runs within runs: whose time is free because the run above pays for the same machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from alerter.core.charges import MICRO, Rate
from alerter.core.metering import Segment
from alerter.core.usage import Meter, Resources

COVERED = "covered-run-hour"
"""The pricing unit of time that the run above pays for."""

FOREVER = 2**62
"""The end of a segment that still accrues."""

NESTED_TAG = "alerter.nested"
"""A tag of a run above: ``sum`` charges the runs nested in it like any other, ``free`` doesn't."""

_PARTS = ("instance_type", "driver_type", "gpu_count", "gpu_type", "gpu_memory_gib", "vcpus", "memory_gib", "dbus")
_PLACES = ("provider", "region", "purchase_option")


def names_machine(resources: Resources) -> bool:
    """Whether a run says what its machine is, and not only which."""
    return any(getattr(resources, part) is not None for part in _PARTS)


def has_own_machine(run: Resources, above: Resources) -> bool:
    """Whether a nested run names another machine, or other resources, than the run above; what it leaves out is equal.

    Where it was rented counts only if both say it.
    """
    if any(getattr(run, part) not in {None, getattr(above, part)} for part in (*_PARTS, "resource_id")):
        return True
    if run.nodes_from is not None and run.nodes != above.nodes:
        return True
    places = ((getattr(run, each), getattr(above, each)) for each in _PLACES)
    return any(None not in pair and pair[0] != pair[1] for pair in places)


def covered_rate(currency: str) -> tuple[Rate, int]:
    """Return rate and quantity of time that the run above pays for."""
    return Rate(Meter.MACHINE, "0", "0", COVERED, currency, "on the machine of the run that it is nested in"), MICRO


def split(segments: Iterable[Segment], cover: Sequence[Segment]) -> Iterator[tuple[Segment, bool]]:
    """Yield the parts of segments in order, each with whether a cover (ascending, disjoint) lies over it."""
    for start, end in segments:
        at = start
        for since, until in cover:
            low, high = max(at, since), min(end, until)
            if low < high:
                if at < low:
                    yield (at, low), False
                yield (low, high), True
                at = high
        if at < end or start == end:
            yield (at, end), False


def merged(segments: Iterable[Segment]) -> tuple[Segment, ...]:
    """Return segments joined where they touch."""
    found: list[Segment] = []
    for start, end in sorted(segments):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return tuple(found)
