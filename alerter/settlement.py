"""What a run's charges should be, against what the ledger says: the difference, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from alerter.core.charges import TOTAL, ChargeLine, Rate
from alerter.core.logged_cost import spread, total_line, total_lines
from alerter.core.metering import Known, Metered, Segment
from alerter.core.nesting import FOREVER, covered_rate, merged, split
from alerter.core.sharing import rejoined
from alerter.core.usage import Pairs
from alerter.pricer import Pricer, merge
from alerter.store.ledger import METER_CODES, Charge, Held, History, OpenSegment, Plan, charge_key
from alerter.store.run_rows import StoredRun

Piece = tuple[int, int, Rate, int]
"""``(start_ms, end_ms, rate, quantity)``: time that was priced before and keeps its rate."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Where a run's charges should stand: settled lines, and what goes on accruing since when (None: nothing)."""

    lines: tuple[ChargeLine, ...]
    open_since_ms: int | None
    plan: tuple[tuple[Rate, int], ...]


_UNKNOWN = Known()


def known_of(row: StoredRun | None, history: History, opened: OpenSegment | None) -> Known:
    """Return the segments that a run's charges and open segment cover, and what its client last said of its times."""
    if row is None:
        return _UNKNOWN
    segments = [] if row.folded_ms is None else [[min(row.start_ms, row.folded_ms), row.folded_ms]]
    for charge in history.standing:
        if segments and charge.start_ms <= segments[-1][1]:
            segments[-1][1] = max(segments[-1][1], charge.end_ms)
        else:
            segments.append([charge.start_ms, charge.end_ms])
    settled = tuple((start, end) for start, end in segments)
    until_ms = opened.until_ms if opened else None
    return Known(settled, opened.start_ms if opened else None, row.start_ms, row.end_ms, until_ms)


def settled_pieces(history: History, rates: Mapping[int, Rate]) -> list[Piece]:
    """Return the settled stretches of a run, each at the rate that it was charged at."""
    return [(charge.start_ms, charge.end_ms, rates[charge.rate_id], charge.quantity) for charge in history.standing]


def believed(history: History, opened: OpenSegment, rates: Mapping[int, Rate]) -> tuple[list[Piece], OpenSegment]:
    """Return an accruing run's settled stretches and open segment as if it had never been suspected stale."""
    if not opened.held:
        return settled_pieces(history, rates), opened
    ongoing = [each for each in opened.held if each[1] is None]
    since = ongoing[0][0] if ongoing else opened.start_ms
    plan = tuple((rate_id, quantity) for _, _, rate_id, quantity in ongoing)
    counted = [ChargeLine(rate, quantity, start, end) for start, end, rate, quantity in settled_pieces(history, rates)]
    held = [ChargeLine(rates[rate_id], quantity, start, end) for start, end, rate_id, quantity in _held(opened) if end]
    pieces = [(line.start_ms, line.end_ms, line.rate, line.quantity) for line in merge([*counted, *held])]
    return pieces, replace(opened, start_ms=since, plan=plan, held=())


def beyond(history: History, opened: OpenSegment, until_ms: int) -> Held:
    """Return what an accruing run is priced at after an instant."""
    settled = ((each.start_ms, each.end_ms, each.rate_id, each.quantity) for each in history.standing)
    whole = (*settled, *_held(opened))
    ahead = (each for each in whole if each[1] is None or each[1] > until_ms)
    return tuple((max(start, until_ms), end, rate_id, quantity) for start, end, rate_id, quantity in ahead)


def _held(opened: OpenSegment) -> Held:
    """Return what an open segment is priced at, as if it had never been suspected stale."""
    if not opened.held:
        return tuple((opened.start_ms, None, *each) for each in opened.plan)
    counted = ((opened.start_ms, opened.until_ms, *each) for each in opened.plan)
    return (*(each for each in counted if each[1] is not None and each[0] < each[1]), *opened.held)


def standing(history: History, opened: OpenSegment | None, rates: Mapping[int, Rate]) -> Wanted:
    """Return where a run's charges stand."""
    lines = tuple(
        ChargeLine(rate, quantity, start, end) for start, end, rate, quantity in settled_pieces(history, rates)
    )
    if opened is None:
        return Wanted(lines, None, ())
    return Wanted(lines, opened.start_ms, tuple((rates[rate_id], quantity) for rate_id, quantity in opened.plan))


@dataclass(frozen=True, slots=True)
class Machine:
    """What a run's time is priced by; ``logged`` is its own total to date (nanos), which replaces the prices."""

    pricer: Pricer
    usage: Pairs
    tags: Pairs
    logged: tuple[Rate, int] | None = None

    def lines(self, start_ms: int, end_ms: int) -> tuple[ChargeLine, ...]:
        """Return the charge lines of ``[start, end)`` at the prices of today's configuration."""
        return self.pricer.lines(self.usage, self.tags, start_ms, end_ms)


def open_pieces(
    opened: OpenSegment, rates: Mapping[int, Rate], machine: Machine, *, last_seen_ms: int, now_ms: int
) -> list[Piece]:
    """Return for how long an open segment's rates hold.

    They hold on (`FOREVER`) while today's configuration says the same of all the time since it began. Where a dated
    price began or ended since, none is returned: the configuration itself says what held when. Where a price was
    edited, or another rule fits new tags, the old rates hold up to the last complete poll.
    """
    plan = [(rates[rate_id], quantity) for rate_id, quantity in opened.plan]
    lines = machine.lines(opened.start_ms, max(now_ms, opened.start_ms + 1))
    if {(line.rate, line.quantity) for line in lines} == set(plan):
        return [(opened.start_ms, FOREVER, rate, quantity) for rate, quantity in plan]
    if {(line.rate, line.quantity) for line in lines if line.start_ms == opened.start_ms} == set(plan):
        return []
    until = min(max(last_seen_ms, opened.start_ms), now_ms)
    return [(opened.start_ms, until, rate, quantity) for rate, quantity in plan]


def want(metered: Metered, pieces: Sequence[Piece], machine: Machine, now_ms: int) -> Wanted:
    """Return where a run's charges should stand; time that a piece covers keeps that piece's rates."""
    if machine.logged is not None:
        return _want_total(metered, pieces, machine.logged, now_ms)
    lines: list[ChargeLine] = []
    for start, end in metered.settled:
        if pieces:
            lines += _priced(start, end, pieces, machine)
        elif start < end:
            lines += machine.lines(start, end)
    since = metered.open_since_ms
    if since is None:
        return Wanted(tuple(lines), None, ())
    ongoing = tuple((rate, quantity) for _, end, rate, quantity in pieces if end == FOREVER)
    if ongoing:
        begins = max(since, *(start for start, end, _, _ in pieces if end == FOREVER))
        # What the client tells of an earlier start may lie before a dated price.
        before, since = rejoined(list(_priced(since, begins, pieces, machine)), begins, ongoing)
        return Wanted((*lines, *before), since, ongoing)
    held = max((since, *(end for _, end, _, _ in pieces)))
    lines += _priced(since, held, pieces, machine)
    accrued = machine.lines(held, max(now_ms, held + 1))
    last = max((line.end_ms for line in accrued), default=held)
    current = [line for line in accrued if line.end_ms == last]
    begins = max((line.start_ms for line in current), default=held)
    for line in accrued:
        if line.start_ms < begins:
            lines.append(ChargeLine(line.rate, line.quantity, line.start_ms, min(line.end_ms, begins)))
    return Wanted(tuple(lines), begins, tuple((line.rate, line.quantity) for line in current))


def want_beside(
    metered: Metered, cover: Sequence[Segment] | None, pieces: Sequence[Piece], machine: Machine, times: tuple[int, int]
) -> Wanted:
    """Return where a run's charges should stand of which another run pays some time, which is charged at nothing.

    ``times`` are up to when dated prices are looked at, and up to when the run counts.
    """
    priced_ms, now_ms = times
    if cover is None:
        return want(metered, pieces, machine, priced_ms)
    since = metered.open_since_ms
    segments = merged([*metered.settled, *(() if since is None else ((since, FOREVER),))])
    # What begins only after a suspect's last sign of life doesn't concern it.
    parts = list(split(segments, [each for each in cover if since is None or each[0] <= max(now_ms, since)]))
    accruing, covered = (
        next((start for (start, end), is_free in parts if is_free is free and end == FOREVER), None)
        for free in (False, True)
    )
    settled = tuple(part for part, is_free in parts if not is_free and part[1] != FOREVER)
    wanted = want(Metered(settled, accruing), pieces, machine, priced_ms)
    rate, quantity = covered_rate(machine.pricer.currency)
    free = [ChargeLine(rate, quantity, *part) for part, is_free in parts if is_free and part[1] != FOREVER]
    lines = (*wanted.lines, *free)
    if covered is not None:
        return joined(Wanted(lines, covered, ((rate, quantity),)))
    return joined(Wanted(lines, wanted.open_since_ms, wanted.plan))


def joined(wanted: Wanted) -> Wanted:
    """Return where a run's charges should stand, in one piece wherever only another run's presence had divided it."""
    rates = [line.rate for line in wanted.lines] + [rate for rate, _ in wanted.plan]
    if any(rate.pricing_unit == TOTAL for rate in rates):
        return wanted
    lines, since = rejoined(merge(wanted.lines), wanted.open_since_ms, wanted.plan)
    return Wanted(tuple(lines), since, wanted.plan)


def _want_total(metered: Metered, pieces: Sequence[Piece], logged: tuple[Rate, int], now_ms: int) -> Wanted:
    """Spread a logged total; a run of no length is charged within the millisecond in which it began."""
    rate, total = logged
    since = metered.open_since_ms
    settled = [(start, end) for start, end in metered.settled if start < end]
    if not settled and since is None:
        settled = [(start, start + 1) for start, _ in metered.settled[:1]]
    standing = {(start, end): _nanos(each, held) for start, end, each, held in pieces if each.pricing_unit == TOTAL}
    shares, accrued = spread(total, settled, since, now_ms, standing)
    lines = total_lines(rate, shares)
    return Wanted(lines, since, () if since is None else (total_line(rate, accrued),))


def _nanos(rate: Rate, quantity: int) -> int:
    return quantity if rate.unit_price != "0" else 0


def standing_total(history: History, opened: OpenSegment | None, rates: Mapping[int, Rate]) -> tuple[Rate, int] | None:
    """Return the logged total that a run's charges and open segment stand at; None where they are priced otherwise."""
    if opened is None and not history.standing:
        return None
    held = [(rates[charge.rate_id], charge.quantity) for charge in history.standing]
    held += [(rates[rate_id], quantity) for rate_id, quantity in (opened.plan if opened else ())]
    totals = [(rate, _nanos(rate, quantity)) for rate, quantity in held if rate.pricing_unit == TOTAL]
    if not totals or len(totals) < len(held):
        return None
    return max(totals, key=lambda each: each[1])[0], sum(quantity for _, quantity in totals)


def _priced(start: int, end: int, pieces: Sequence[Piece], machine: Machine) -> Iterable[ChargeLine]:
    covered: list[tuple[int, int]] = []
    for since, until, rate, quantity in pieces:
        low, high = max(start, since), min(end, until)
        if low < high:
            covered.append((low, high))
            yield ChargeLine(rate, quantity, low, high)
    for low, high in _gaps(start, end, covered):
        yield from machine.lines(low, high)


def _gaps(start: int, end: int, covered: Iterable[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    at = start
    for low, high in sorted(covered):
        if at < low:
            yield at, low
        at = max(at, high)
    if at < end:
        yield at, end


def plan_of(wanted: Wanted, rate_ids: dict[Rate, int]) -> Plan:
    """Return an open segment's plan in stored form."""
    return tuple((rate_ids[rate], quantity) for rate, quantity in wanted.plan)


def difference(
    run_id: int, tag_set_id: int, wanted: Wanted, history: History, rate_ids: dict[Rate, int]
) -> tuple[list[Charge], list[Charge]]:
    """Return the reversals and the new charges that bring a run's charges to where they should stand."""
    revisions = dict(history.revisions)
    fresh = {}
    for line in wanted.lines:
        rate_id = rate_ids[line.rate]
        key = (METER_CODES[line.meter], line.start_ms, line.end_ms, tag_set_id, rate_id, line.quantity)
        fresh[key] = line
    kept = {charge_key(charge) for charge in history.standing} & fresh.keys() if history.standing else ()
    reversals = [_reversal(charge, revisions) for charge in history.standing if charge_key(charge) not in kept]
    added = []
    for key, line in fresh.items():
        if key in kept:
            continue
        meter, start_ms, end_ms, _, rate_id, quantity = key
        revision = revisions[meter, start_ms] = revisions.get((meter, start_ms), -1) + 1
        content = (tag_set_id, rate_id, quantity, line.cost_nanos)
        added.append(Charge(run_id, meter, start_ms, revision, end_ms, *content))
    return reversals, added


def _reversal(charge: Charge, revisions: dict[tuple[int, int], int]) -> Charge:
    key = (charge.meter, charge.start_ms)
    revisions[key] = revisions.get(key, -1) + 1
    return Charge(
        charge.run_id,
        charge.meter,
        charge.start_ms,
        revisions[key],
        charge.end_ms,
        charge.tag_set_id,
        charge.rate_id,
        -charge.quantity,
        -charge.cost_nanos,
    )
