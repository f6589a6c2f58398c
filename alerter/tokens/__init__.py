"""Charge the tokens of traces: one line per model, tag set and quarter of an hour, however often traces are read."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from alerter.core.charges import Confidence, Rate
from alerter.core.money import from_nanos
from alerter.core.traces import TraceBatch, TraceUse, bucket_of, differs
from alerter.core.usage import Meter, Pairs
from alerter.store import ledger
from alerter.store.carriers import TOKENS, CarrierValues, add_carriers, carrier_id
from alerter.store.interning import Interner
from alerter.store.ledger import METER_CODES, Charge
from alerter.store.sources import SourceState
from alerter.store.totals import Attribution, add_daily, daily_parts
from alerter.store.traces import (
    add_counted,
    counted,
    forget_counted,
    set_trace_cursor,
    token_revisions,
)
from alerter.tokens.prices import TokenPrices

log = logging.getLogger(__name__)

_TOKENS = METER_CODES[Meter.TOKENS]


@dataclass(frozen=True, slots=True)
class TokensRead:
    """What one read of traces found.

    Attributes:
        counted: traces that were charged for the first time.
        unpriced: those of them that have tokens without a price.
        cost_differs, count_differs: those whose cost or count is more than 5 % beside what MLflow says itself.
    """

    counted: int = 0
    unpriced: int = 0
    cost_differs: int = 0
    count_differs: int = 0

    def __add__(self, other: TokensRead) -> TokensRead:
        return TokensRead(
            self.counted + other.counted,
            self.unpriced + other.unpriced,
            self.cost_differs + other.cost_differs,
            self.count_differs + other.count_differs,
        )


@dataclass(slots=True)
class _Line:
    """What the traces of one batch add to one carrier in one quarter of an hour, at one rate."""

    nanos: int = 0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class _Carrier:
    """Whose tokens: of one run's traces, or of an experiment's that no run logged."""

    source_run: str | None
    experiment_id: str
    model: str
    tags: Pairs

    @property
    def id(self) -> str:
        return carrier_id(TOKENS, self.source_run or "", self.experiment_id, self.model, self.tags)

    @property
    def name(self) -> str:
        return f"LLM tokens {self.model}" if self.model else "LLM tokens of an unknown model"


_Lines = dict[tuple[_Carrier, int, Rate], _Line]
"""By (carrier, start of the quarter of an hour, rate)."""


class TokenRecorder:
    """Writes traces into one ledger under one configuration.

    Args:
        interner, attribution: of the ledger that is written.
        prices: what tokens cost.
        keys: of a trace's own tags, those that are kept: what budgets name. Others may differ from call to call.
    """

    def __init__(self, interner: Interner, attribution: Attribution, prices: TokenPrices, keys: frozenset[str]) -> None:
        self._interner = interner
        self._attribution = attribution
        self._prices = prices
        self._keys = keys

    def record(self, connection: Connection, source: SourceState, batch: TraceBatch) -> TokensRead:
        """Charge the traces of a batch that are not counted yet, and note how far the source was read."""
        known = counted(connection, source.id, [each.trace_id for each in batch.traces])
        fresh = {each.trace_id: each for each in batch.traces if each.trace_id not in known}
        read = TokensRead()
        if fresh:
            run_tags = self._run_tags(connection, source.id, fresh.values())
            lines: _Lines = {}
            for trace in fresh.values():
                read += self._add(lines, trace, run_tags)
            self._write(connection, source.id, lines)
            add_counted(connection, source.id, [(each.trace_id, each.at_ms) for each in fresh.values()])
        forget_counted(connection, source.id, batch.keep_ms)
        set_trace_cursor(connection, source.id, batch.cursor)
        return read

    def _run_tags(self, connection: Connection, source_id: int, traces: Iterable[TraceUse]) -> dict[str, Pairs]:
        runs = ledger.stored_runs(connection, source_id, list({each.source_run for each in traces if each.source_run}))
        tags = self._interner.tag_sets.values(connection, {row.tag_set_id for row in runs.values()})
        return {uuid: tags[row.tag_set_id] for uuid, row in runs.items()}

    def _add(self, lines: _Lines, trace: TraceUse, run_tags: dict[str, Pairs]) -> TokensRead:
        # The trace's word goes before its run's, and that before the experiment's (which a run's tags hold already).
        base = run_tags.get(trace.source_run or "", trace.tags)
        kept = tuple(pair for pair in trace.own if pair[0] in self._keys)
        tags = tuple(sorted({**dict(base), **dict(kept)}.items())) if kept else base
        nanos, gaps = 0, False
        for used in trace.used:
            priced = self._prices.price(used)
            nanos += priced.nanos
            gaps = gaps or priced.is_gap
            carrier = _Carrier(trace.source_run, trace.experiment_id, used.model, tags)
            line = lines.setdefault((carrier, bucket_of(trace.at_ms)[0], priced.rate), _Line())
            line.nanos += priced.nanos
            line.tokens += used.total
        return TokensRead(
            1,
            int(gaps),
            int(not gaps and differs(trace.logged_cost, from_nanos(nanos))),
            int(differs(trace.logged_tokens, sum(used.total for used in trace.used))),
        )

    def _write(self, connection: Connection, source_id: int, lines: _Lines) -> None:
        lines = {key: line for key, line in lines.items() if line.nanos or key[2].confidence is Confidence.GAP}
        if not lines:
            return
        tag_ids = self._interner.tag_sets.ids(connection, {carrier.tags for carrier, _, _ in lines})
        rate_ids = self._interner.rates.ids(connection, {rate for _, _, rate in lines})
        ids = self._carriers(connection, source_id, lines, tag_ids)
        revisions = token_revisions(connection, list(set(ids.values())), min(start for _, start, _ in lines))
        charges = []
        for (carrier, start, rate), line in sorted(lines.items(), key=lambda item: item[0][1]):
            place = (ids[carrier], start)
            revisions[place] = revisions.get(place, -1) + 1
            # A gap holds its tokens, so that it differs from its reversal; it costs nothing.
            quantity = line.nanos or line.tokens
            charges.append(
                Charge(
                    place[0],
                    _TOKENS,
                    start,
                    revisions[place],
                    bucket_of(start)[1],
                    tag_ids[carrier.tags],
                    rate_ids[rate],
                    quantity,
                    line.nanos,
                )
            )
        ledger.add_charges(connection, charges)
        shares = self._attribution.shares(connection, {charge.tag_set_id for charge in charges})
        rates = {row_id: rate for rate, row_id in rate_ids.items()}
        add_daily(connection, daily_parts(charges, shares, rates))

    def _carriers(
        self, connection: Connection, source_id: int, lines: _Lines, tag_ids: dict[Pairs, int]
    ) -> dict[_Carrier, int]:
        first: dict[_Carrier, int] = {}
        for carrier, start, _ in lines:
            first[carrier] = min(start, first.get(carrier, start))
        known = ledger.stored_runs(connection, source_id, [each.id for each in first])
        ids = {each: known[each.id].id for each in first if each.id in known}
        (usage_id,) = self._interner.usage_sets.ids(connection, {()}).values()
        fresh = [each for each in first if each not in ids]
        rows: list[CarrierValues] = []
        for row_id, each in enumerate(fresh, ledger.next_run_id(connection)):
            ids[each] = row_id
            rows.append((row_id, each.id, each.experiment_id, each.name, first[each], tag_ids[each.tags], usage_id))
        add_carriers(connection, source_id, TOKENS, rows)
        return ids
