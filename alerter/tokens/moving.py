"""Traces whose tags changed after they were counted: their part of a charge goes to where it belongs now."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from alerter.core.charges import Rate
from alerter.core.usage import TokenCount
from alerter.store import ledger, token_counts
from alerter.store.ledger import Charge, History
from alerter.store.traces import TraceLine
from alerter.tokens.carriers import RETAGGED, charge_of

log = logging.getLogger(__name__)

Place = tuple[int, int, int]
"""(row id, start of the quarter of an hour, rate id)."""


class Rows:
    """The charges of some carriers as they stand, and what is added to them in one transaction.

    ``counts`` are how many tokens the added ones are for. An earlier version's charges don't tell, and what is left of
    them doesn't either.
    """

    def __init__(self, connection: Connection, row_ids: Sequence[int], rates: Mapping[int, Rate], now_ms: int) -> None:
        self._connection = connection
        self._histories = ledger.histories(connection, sorted(set(row_ids)))
        self._revisions = {row_id: dict(each.revisions) for row_id, each in self._histories.items()}
        self._rates = rates
        self._now_ms = now_ms
        self._corrections: dict[int, int] = {}
        self.charges: list[Charge] = []
        self.counts: dict[token_counts.Place, TokenCount] = {}
        charges = [each for history in self._histories.values() for each in history.standing]
        self._known = token_counts.counts_of(connection, charges)

    def take(self, lines: Sequence[TraceLine]) -> bool:
        """Take a trace's part out of its charges; False, and nothing is done, where it doesn't stand there."""
        parts: dict[Place, int] = defaultdict(int)
        tokens: dict[Place, TokenCount | None] = {}
        for line in lines:
            place = (line.row_id, line.start_ms, line.rate_id)
            parts[place] += line.quantity
            tokens[place] = _plus(tokens.get(place, TokenCount()), line.count)
        standing = {place: self._standing(place) for place in parts}
        if any(sum(each.quantity for each in standing[place]) < part for place, part in parts.items()):
            return False
        for place, part in parts.items():
            rest = sum(each.quantity for each in standing[place]) - part
            left = _negated(tokens[place])
            for each in standing[place]:
                count = self._count(each)
                self._add(place, each.tag_set_id, -each.quantity, _negated(count))
                left = _plus(left, count)
            if rest:
                self._add(place, standing[place][-1].tag_set_id, rest, left)
        return True

    def put(self, place: Place, tag_set_id: int, line: TraceLine) -> None:
        """Add a part that comes from elsewhere."""
        self._add(place, tag_set_id, line.quantity, line.count)

    def _count(self, charge: Charge) -> TokenCount | None:
        place = token_counts.place_of(charge)
        return self.counts.get(place, self._known.get(place))

    def _standing(self, place: Place) -> list[Charge]:
        row_id, start, rate_id = place
        rows = [*self._histories.get(row_id, History()).standing]
        mine = [each for each in self.charges if each.run_id == row_id]
        alive = ledger.history([*rows, *mine]).standing if mine else rows
        return [each for each in alive if (each.start_ms, each.rate_id) == (start, rate_id)]

    def _add(self, place: Place, tag_set_id: int, quantity: int, count: TokenCount | None) -> None:
        row_id, start, rate_id = place
        revisions = self._revisions.setdefault(row_id, {})
        made = charge_of((row_id, start, 0), tag_set_id, (rate_id, self._rates[rate_id]), quantity)
        key = (made.meter, start)
        revisions[key] = revisions.get(key, -1) + 1
        if count is not None:
            self.counts[row_id, start, revisions[key]] = count
        if row_id not in self._corrections:
            self._corrections[row_id] = ledger.add_correction(self._connection, row_id, self._now_ms, RETAGGED)
        self.charges.append(
            Charge(
                made.run_id,
                made.meter,
                start,
                revisions[key],
                made.end_ms,
                tag_set_id,
                rate_id,
                quantity,
                made.cost_nanos,
                self._corrections[row_id],
            )
        )


def _plus(one: TokenCount | None, other: TokenCount | None) -> TokenCount | None:
    return None if one is None or other is None else one + other


def _negated(count: TokenCount | None) -> TokenCount | None:
    return None if count is None else -count
