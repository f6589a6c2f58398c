"""A cost that a run logged: its own total to date, which replaces the estimate and is spread over its metered time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation

from alerter.core.charges import TOTAL, ChargeLine, Rate
from alerter.core.metering import Segment
from alerter.core.money import div_half_even, to_nanos
from alerter.core.price_rules import TAG, LoggedCost
from alerter.core.usage import Meter, Pairs

METRIC = "metric."
"""How `RunObservation.costs` tells a metric from a tag (`TAG`) of the same name."""

UNREADABLE = "logged_cost."
"""How `RunObservation.usage` holds a cost that is no number."""

LARGEST = Decimal(100_000_000)
"""The most that a run is believed to cost, in units of the currency."""

_LONGEST = 64


def read_cost(text: str) -> Decimal | None:
    """Return a logged cost in units of the currency; None for what is no number, negative, or beyond `LARGEST`."""
    if len(text) > _LONGEST:
        return None
    try:
        cost = Decimal(text.strip())
    except InvalidOperation:
        return None
    return abs(cost) if cost.is_finite() and 0 <= cost <= LARGEST else None


def cost_keys(names: LoggedCost) -> tuple[str, ...]:
    """Return the keys of costs in the order in which they are believed: metrics before tags."""
    return (*(METRIC + each for each in names.metrics), *(TAG + each for each in names.tags))


def logged_total(costs: Pairs, names: LoggedCost, currency: str) -> tuple[Rate, int] | None:
    """Return the total to date that a run logged, in nanos, and its rate; None where it logged none.

    Multipliers don't apply: it is what the run says that it costs.
    """
    if not costs:
        return None
    logged = dict(costs)
    for key in cost_keys(names):
        cost = read_cost(logged[key]) if key in logged else None
        if cost is not None:
            name = key.removeprefix(METRIC).replace(TAG, "tag ", 1)
            return Rate(Meter.LOGGED, "1", "1", TOTAL, currency, f"logged {name}"), to_nanos(cost)
    return None


def spread(
    total: int, settled: Sequence[Segment], open_since_ms: int | None, now_ms: int, standing: Mapping[Segment, int]
) -> tuple[dict[Segment, int], int]:
    """Return what each settled segment of a run and its open one cost, in nanos; they sum to ``total``.

    What the total grew by since segments were settled belongs to the time since. Otherwise, and where the total shrank,
    all of it is spread evenly over all of the metered time.

    Args:
        total: the run's total to date, in nanos.
        settled: its settled segments.
        open_since_ms: where its open segment begins, or None.
        now_ms: where the open segment ends so far.
        standing: what segments cost that were settled at a logged total before.
    """
    kept = {each: standing[each] for each in settled if each in standing}
    rest = [each for each in settled if each not in kept]
    held = sum(kept.values())
    fits = held <= total if rest or open_since_ms is not None else held == total
    if not fits:
        kept, rest, held = {}, list(settled), 0
    ongoing = [] if open_since_ms is None else [(open_since_ms, max(now_ms, open_since_ms + 1))]
    shares = _evenly(total - held, [*rest, *ongoing])
    accrued = shares.pop() if ongoing else 0
    return kept | dict(zip(rest, shares, strict=True)), accrued


def _evenly(total: int, segments: Sequence[Segment]) -> list[int]:
    """Divide by length; shares are differences of the rounded cumulative cost, so they sum to the total."""
    whole = sum(end - start for start, end in segments)
    shares, passed, given = [], 0, 0
    for start, end in segments:
        passed += end - start
        until = div_half_even(total * passed, whole)
        shares.append(until - given)
        given = until
    return shares


def total_line(rate: Rate, nanos: int) -> tuple[Rate, int]:
    """Return rate and quantity of a share; one of nothing has a price of 0, so that its reversal differs from it."""
    if nanos:
        return rate, nanos
    return Rate(rate.meter, "0", "0", rate.pricing_unit, rate.currency, rate.rule), 1


def total_lines(rate: Rate, shares: Mapping[Segment, int]) -> tuple[ChargeLine, ...]:
    """Return the charge lines of settled segments."""
    lines = []
    for (start, end), nanos in sorted(shares.items()):
        priced, quantity = total_line(rate, nanos)
        lines.append(ChargeLine(priced, quantity, start, end))
    return tuple(lines)
