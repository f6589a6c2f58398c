"""What brings the ledger to where runs should stand: new charges, and reversals with a reason.

Accrued time is in no charge yet. Where it is counted no more, or for another scope, it is settled as it was counted and
reversed, so that the ledger shows what an alert went by and why that changed.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from sqlalchemy import Connection

from alerter.core.charges import TOTAL, Rate, cost_between
from alerter.core.metering import Segment
from alerter.core.nesting import FOREVER
from alerter.recording.entries import Entry, accrued_nanos, check_cost
from alerter.settlement import Wanted, difference
from alerter.store import ledger
from alerter.store.interning import Interner
from alerter.store.ledger import METER_CODES, Charge, History
from alerter.store.totals import Attribution

log = logging.getLogger(__name__)

IGNORED_MS = 60_000
"""A client's clock may be so far behind ours; what a run is counted less at its end is no correction."""


def charges_of(
    connection: Connection, entries: Sequence[Entry], rate_ids: dict[Rate, int], counted: Counted, now_ms: int
) -> tuple[list[Charge], int]:
    """Return the charges to add, reversals among them, and how many runs they correct."""
    charges: list[Charge] = []
    corrected = 0
    for entry in entries:
        if entry.wanted is None:
            continue
        history, withdrawn = with_added(entry.history, counted.withdrawn(entry))
        reversals, added = difference(entry.run_id, entry.tag_set_id, entry.wanted, history, rate_ids)
        if reversals:
            corrected += 1
            correction = ledger.add_correction(connection, entry.run_id, now_ms, entry.reason)
            reversals = [each._replace(correction_id=correction) for each in reversals]
            # What accrued until now and stands is settled, not corrected.
            since = entry.opened.start_ms if entry.opened is not None else FOREVER
            added = [each._replace(correction_id=correction) if each.start_ms < since else each for each in added]
            log.info("charges corrected run_id=%d reason=%r", entry.run_id, entry.reason)
        settled = sum([each.cost_nanos for each in (*history.standing, *reversals, *added)])
        check_cost(settled + accrued_nanos(entry.wanted, now_ms))
        charges += withdrawn
        charges += reversals
        charges += added
    return charges, corrected


class Counted:
    """How accrued time was counted at the last complete poll: at which rates, and for which scopes.

    Args:
        connection: the ledger, within the transaction that writes.
        entries: those that are written.
        interner, attribution: of the ledger.
        seen_ms: the last complete poll, epoch ms.
    """

    def __init__(
        self,
        connection: Connection,
        entries: Sequence[Entry],
        interner: Interner,
        attribution: Attribution,
        seen_ms: int,
    ) -> None:
        self._seen_ms = seen_ms
        accrued = [(entry.opened, entry.tag_set_id) for entry in entries if entry.opened is not None]
        self._rates = interner.rates.values(connection, {rate_id for each, _ in accrued for rate_id, _ in each.plan})
        moved = {(each.tag_set_id, now) for each, now in accrued if each.tag_set_id != now}
        shares = attribution.shares(connection, {tag_set_id for pair in moved for tag_set_id in pair})
        self._moved = {(before, now) for before, now in moved if shares[before] != shares[now]}

    def withdrawn(self, entry: Entry) -> list[Charge]:
        """Return what was counted of a run's open segment and is counted no more, as charges to add and reverse."""
        opened, wanted = entry.opened, entry.wanted
        if opened is None or wanted is None:
            return []
        until = self._seen_ms if opened.until_ms is None else min(self._seen_ms, opened.until_ms)
        moved = (opened.tag_set_id, entry.tag_set_id) in self._moved
        found = []
        for rate_id, quantity in opened.plan:
            rate = self._rates[rate_id]
            if rate.pricing_unit == TOTAL:
                continue  # it says itself what it costs, anew with each poll
            kept = [] if moved else _kept(wanted, rate, quantity)
            for since, end in _rest((opened.start_ms, until), kept):
                cost = cost_between(rate, quantity, (since, end), (since, end))
                if cost and end - since > IGNORED_MS:
                    place = (entry.run_id, METER_CODES[rate.meter], since, 0, end)
                    found.append(Charge(*place, opened.tag_set_id, rate_id, quantity, cost))
        return found


def with_added(history: History, charges: Sequence[Charge]) -> tuple[History, list[Charge]]:
    """Return a run's history with some charges at its end, and these as they are written."""
    if not charges:
        return history, []
    revisions, added = dict(history.revisions), []
    for charge in charges:
        key = (charge.meter, charge.start_ms)
        revisions[key] = revisions.get(key, -1) + 1
        added.append(charge._replace(revision=revisions[key]))
    standing = sorted((*history.standing, *added), key=lambda each: (each.start_ms, each.meter))
    return History(tuple(standing), revisions), added


def _kept(wanted: Wanted, rate: Rate, quantity: int) -> list[Segment]:
    """Return the time that goes on standing at a rate."""
    kept = [(line.start_ms, line.end_ms) for line in wanted.lines if (line.rate, line.quantity) == (rate, quantity)]
    if wanted.open_since_ms is not None and (rate, quantity) in wanted.plan:
        kept.append((wanted.open_since_ms, FOREVER))
    return kept


def _rest(whole: Segment, kept: Sequence[Segment]) -> list[Segment]:
    """Return what of a segment lies in none of some others."""
    found, at = [], whole[0]
    for since, end in sorted(kept):
        if at < min(since, whole[1]):
            found.append((at, min(since, whole[1])))
        at = max(at, end)
    if at < whole[1]:
        found.append((at, whole[1]))
    return found
