"""Whose tokens they are, and the rows of the ledger that carry their charges."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from alerter.core.charges import Rate
from alerter.core.traces import TraceUse, bucket_of
from alerter.core.usage import Meter, Pairs
from alerter.store import ledger, run_rows
from alerter.store.carriers import TOKENS, CarrierValues, add_carriers, carrier_id, carriers_of, run_of, set_tags
from alerter.store.interning import Interner
from alerter.store.ledger import METER_CODES, Charge
from alerter.store.run_rows import StoredRun
from alerter.store.token_counts import Counts, counts_of, place_of, put_counts
from alerter.store.totals import Attribution, cost_to

log = logging.getLogger(__name__)

RETAGGED = "tags changed"
_TOKENS = METER_CODES[Meter.TOKENS]


@dataclass(frozen=True, slots=True)
class Carrier:
    """Whose tokens: of one run's traces, or of an experiment's and a user's that no run logged.

    ``own`` are those tags that the traces say themselves; ``tags`` are all that count, which may change.
    """

    source_run: str
    experiment_id: str
    user: str
    model: str
    own: Pairs
    tags: Pairs = field(compare=False)

    @property
    def id(self) -> str:
        """Its row's id."""
        return carrier_id(TOKENS, self.source_run, self.experiment_id, self.user, self.model, self.own)

    @property
    def name(self) -> str:
        """How people are shown it."""
        return f"LLM tokens {self.model}" if self.model else "LLM tokens of an unknown model"


def overlaid(base: Pairs, own: Pairs) -> Pairs:
    """Return tags under those that a trace says itself, which go before them."""
    return tuple(sorted({**dict(base), **dict(own)}.items())) if own else base


def charge_of(place: tuple[int, int, int], tag_set_id: int, rate: tuple[int, Rate], quantity: int) -> Charge:
    """Return a charge of ``place``: (row id, start of its quarter of an hour, revision)."""
    row_id, start, revision = place
    rate_id, price = rate
    _, end = bucket_of(start)
    cost = cost_to(price, quantity, (start, end), end)
    return Charge(row_id, _TOKENS, start, revision, end, tag_set_id, rate_id, quantity, cost)


class Carriers:
    """The carriers' rows in one ledger."""

    def __init__(self, interner: Interner, attribution: Attribution) -> None:
        self._interner = interner
        self._attribution = attribution

    def base_of(self, connection: Connection, source_id: int, traces: Iterable[TraceUse]) -> dict[str, Pairs]:
        """Return the tags of the runs that logged some traces, by MLflow's run id."""
        runs = run_rows.stored_runs(
            connection, source_id, sorted({each.source_run for each in traces if each.source_run})
        )
        tags = self._interner.tag_sets.values(connection, {row.tag_set_id for row in runs.values()})
        return {uuid: tags[row.tag_set_id] for uuid, row in runs.items()}

    def ids(
        self, connection: Connection, source_id: int, first_ms: Mapping[Carrier, int], now_ms: int
    ) -> dict[Carrier, tuple[int, int]]:
        """Return (row id, tag set id) of each carrier.

        New ones get a row; one whose tags changed takes all that it carries along. ``first_ms`` is when its first
        tokens were used.
        """
        known = run_rows.stored_runs(connection, source_id, [each.id for each in first_ms])
        tag_ids = self._interner.tag_sets.ids(connection, {each.tags for each in first_ms})
        own_ids = self._interner.usage_sets.ids(connection, {each.own for each in first_ms})
        found: dict[Carrier, tuple[int, int]] = {}
        rows: list[CarrierValues] = []
        next_id = run_rows.next_run_id(connection)
        for each, first in first_ms.items():
            row, tag_set_id = known.get(each.id), tag_ids[each.tags]
            if row is None:
                found[each] = (next_id + len(rows), tag_set_id)
                rows.append(
                    (found[each][0], each.id, each.experiment_id, each.name, first, tag_set_id, own_ids[each.own])
                )
            else:
                found[each] = (row.id, tag_set_id)
                self.retag(connection, row, tag_set_id, now_ms)
        add_carriers(connection, source_id, TOKENS, rows)
        return found

    def follow(self, connection: Connection, source_id: int, run_ids: Sequence[int], now_ms: int) -> None:
        """Give the tokens of runs that were written the tags that these have now."""
        runs = {row.run_uuid: row for row in run_rows.stored_by_id(connection, run_ids)}
        rows = carriers_of(connection, source_id, TOKENS, list(runs))
        tags = self._interner.tag_sets.values(connection, {row.tag_set_id for row in runs.values()} if rows else ())
        owns = self._interner.usage_sets.values(connection, {row.usage_set_id for row in rows})
        for row in rows:
            base = tags[runs[run_of(row.run_uuid)].tag_set_id]
            wanted = overlaid(base, owns[row.usage_set_id])
            (tag_set_id,) = self._interner.tag_sets.ids(connection, {wanted}).values()
            self.retag(connection, row, tag_set_id, now_ms)

    def retag(self, connection: Connection, row: StoredRun, tag_set_id: int, now_ms: int) -> None:
        """Move what a row carries to another tag set: reversals and new charges at the same rates."""
        if row.tag_set_id == tag_set_id:
            return
        set_tags(connection, row.id, tag_set_id)
        history = ledger.history(ledger.charges_of_run(connection, row.id))
        standing = [each for each in history.standing if each.tag_set_id != tag_set_id]
        if not standing:
            return
        correction = ledger.add_correction(connection, row.id, now_ms, RETAGGED)
        known, counts = counts_of(connection, standing), {}
        revisions, charges = dict(history.revisions), []
        for each in standing:
            for sign, tags in ((-1, each.tag_set_id), (1, tag_set_id)):
                revisions[each.meter, each.start_ms] += 1
                count = known.get(place_of(each))
                if count is not None:
                    counts[row.id, each.start_ms, revisions[each.meter, each.start_ms]] = -count if sign < 0 else count
                charges.append(
                    each._replace(
                        revision=revisions[each.meter, each.start_ms],
                        tag_set_id=tags,
                        quantity=sign * each.quantity,
                        cost_nanos=sign * each.cost_nanos,
                        correction_id=correction,
                    )
                )
        self.write(connection, charges, counts)
        log.info("tokens moved row_id=%d charges=%d reason=%r", row.id, len(standing), RETAGGED)

    def write(self, connection: Connection, charges: Sequence[Charge], counts: Counts) -> None:
        """Add charges, how many tokens they are for, and what they make of the totals."""
        ledger.add_charges(connection, charges)
        put_counts(connection, counts)
        rates = self._interner.rates.values(connection, {charge.rate_id for charge in charges})
        self._attribution.count(connection, charges, {charge.tag_set_id for charge in charges}, rates)
