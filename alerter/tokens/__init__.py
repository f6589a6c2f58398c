"""Charge the tokens of traces: one line per model, tag set and quarter of an hour, however often traces are read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from alerter.core.charges import Confidence, Rate
from alerter.core.money import from_nanos
from alerter.core.traces import TraceBatch, TraceUse, bucket_of, differs
from alerter.core.usage import Pairs, TokenCount
from alerter.store.interning import Interner, digest_of
from alerter.store.sources import SourceState
from alerter.store.totals import Attribution
from alerter.store.traces import (
    CountedTrace,
    TraceLine,
    counted,
    counted_traces,
    forget_counted,
    put_counted,
    set_trace_cursor,
    token_revisions,
)
from alerter.tokens.carriers import Carrier, Carriers, charge_of, overlaid
from alerter.tokens.moving import Rows
from alerter.tokens.prices import TokenPrices


@dataclass(frozen=True, slots=True)
class TokensRead:
    """What one read of traces found.

    Attributes:
        counted: traces that were charged for the first time.
        unpriced: those of them that have tokens without a price.
        cost_differs, count_differs: those whose cost or count is more than 5 % beside what MLflow says itself.
        moved: traces counted before whose tags have changed.
    """

    counted: int = 0
    unpriced: int = 0
    cost_differs: int = 0
    count_differs: int = 0
    moved: int = 0

    def __add__(self, other: TokensRead) -> TokensRead:
        return TokensRead(
            self.counted + other.counted,
            self.unpriced + other.unpriced,
            self.cost_differs + other.cost_differs,
            self.count_differs + other.count_differs,
            self.moved + other.moved,
        )


@dataclass(frozen=True, slots=True)
class _Part:
    """What a trace adds to one carrier's charge of one quarter of an hour, at one rate; ``count`` as of a line."""

    carrier: Carrier
    start_ms: int
    rate: Rate
    quantity: int
    count: TokenCount | None


@dataclass(frozen=True, slots=True)
class _Known:
    """A trace with the tags that it has now: its run's or its experiment's, and those that it says itself."""

    trace: TraceUse
    base: Pairs
    own: Pairs

    @property
    def digest(self) -> int:
        return digest_of(self.base, self.own)

    def carrier(self, model: str) -> Carrier:
        run = self.trace.source_run or ""
        user = "" if run else dict(self.trace.tags).get("user", "")
        return Carrier(run, self.trace.experiment_id, user, model, self.own, overlaid(self.base, self.own))


class TokenRecorder:
    """Writes traces into one ledger under one configuration.

    Args:
        interner, attribution: of the ledger that is written.
        prices: what tokens cost.
        keys: of a trace's own tags, those that are kept: what budgets and multipliers name. Others may differ from
            call to call.
    """

    def __init__(self, interner: Interner, attribution: Attribution, prices: TokenPrices, keys: frozenset[str]) -> None:
        self._interner = interner
        self._carriers = Carriers(interner, attribution)
        self._prices = prices
        self._keys = keys

    def record(self, connection: Connection, source: SourceState, batch: TraceBatch, now_ms: int) -> TokensRead:
        """Charge the traces of a batch that are not counted yet, move those with other tags, note how far it read."""
        known = counted(connection, source.id, [each.trace_id for each in batch.traces])
        fresh = {each.trace_id: each for each in batch.traces if each.trace_id not in known}
        stood = counted_traces(connection, source.id, [each.trace_id for each in batch.again])
        again = [each for each in batch.again if each.trace_id in stood]
        read = TokensRead()
        if fresh or again:
            runs = self._carriers.base_of(connection, source.id, [*fresh.values(), *again])
            changed = [
                (each, stood[each.trace.trace_id])
                for each in self._known(again, runs)
                if each.digest != stood[each.trace.trace_id].tags_digest
            ]
            self._move(connection, source.id, changed, now_ms)
            read = TokensRead(moved=len(changed))
            read += self._count(connection, source.id, list(self._known(list(fresh.values()), runs)), now_ms)
        forget_counted(connection, source.id, batch.keep_ms)
        set_trace_cursor(connection, source.id, batch.cursor)
        return read

    def follow(self, connection: Connection, source: SourceState, run_ids: Sequence[int], now_ms: int) -> None:
        """Move the tokens of runs that a poll wrote to the tags that these have now."""
        self._carriers.follow(connection, source.id, run_ids, now_ms)

    def _known(self, traces: Sequence[TraceUse], runs: Mapping[str, Pairs]) -> Iterator[_Known]:
        for each in traces:
            own = tuple(pair for pair in each.own if pair[0] in self._keys)
            # The trace's word goes before its run's, and that before the experiment's (which a run's tags hold).
            yield _Known(each, runs.get(each.source_run or "", each.tags), own)

    def _count(self, connection: Connection, source_id: int, traces: Sequence[_Known], now_ms: int) -> TokensRead:
        read, parts = TokensRead(), {}
        for each in traces:
            parts[each.trace.trace_id], found = self._priced(each)
            read += found
        ids, rate_ids = self._write(connection, source_id, [part for each in parts.values() for part in each], now_ms)
        lines = {
            trace_id: tuple(
                TraceLine(
                    ids[each.carrier], each.start_ms, rate_ids[each.rate], each.quantity, each.carrier.model, each.count
                )
                for each in found
            )
            for trace_id, found in parts.items()
        }
        put_counted(
            connection,
            source_id,
            {
                (each.trace.trace_id, each.trace.at_ms): CountedTrace(each.digest, lines[each.trace.trace_id])
                for each in traces
            },
        )
        return read

    def _priced(self, known: _Known) -> tuple[list[_Part], TokensRead]:
        trace, parts = known.trace, []
        nanos, gaps = 0, False
        for used in trace.used:
            carrier = known.carrier(used.model)
            priced = self._prices.price(used, carrier.tags)
            nanos += priced.nanos
            gaps = gaps or priced.is_gap
            # A gap holds its tokens, so that it differs from its reversal; it costs nothing.
            quantity = used.total if priced.rate.confidence is Confidence.GAP else priced.nanos
            if quantity:
                parts.append(_Part(carrier, bucket_of(trace.at_ms)[0], priced.rate, quantity, used.count))
        return parts, TokensRead(
            1,
            int(gaps),
            int(not gaps and differs(trace.logged_cost, from_nanos(nanos))),
            int(differs(trace.logged_tokens, sum(used.total for used in trace.used))),
        )

    def _write(
        self, connection: Connection, source_id: int, parts: Sequence[_Part], now_ms: int
    ) -> tuple[dict[Carrier, int], dict[Rate, int]]:
        """Charge parts, and return the rows and rates that carry them."""
        if not parts:
            return {}, {}
        rate_ids = self._interner.rates.ids(connection, {each.rate for each in parts})
        rows = self._carriers.ids(connection, source_id, _first(parts), now_ms)
        sums: dict[tuple[int, int, int, Rate], int] = defaultdict(int)
        tokens: dict[tuple[int, int, int, Rate], TokenCount] = defaultdict(TokenCount)
        for each in parts:
            key = (each.start_ms, *rows[each.carrier], each.rate)
            sums[key] += each.quantity
            tokens[key] += each.count or TokenCount()
        row_ids = sorted({row_id for _, row_id, _, _ in sums})
        revisions = token_revisions(connection, row_ids, min(each.start_ms for each in parts))
        charges, counts = [], {}
        for key, quantity in sorted(sums.items(), key=lambda item: item[0][:2]):
            start, row_id, tag_set_id, rate = key
            revisions[row_id, start] = revision = revisions.get((row_id, start), -1) + 1
            charges.append(charge_of((row_id, start, revision), tag_set_id, (rate_ids[rate], rate), quantity))
            counts[row_id, start, revision] = tokens[key]
        self._carriers.write(connection, charges, counts)
        return {carrier: row_id for carrier, (row_id, _) in rows.items()}, rate_ids

    def _move(
        self, connection: Connection, source_id: int, changed: Sequence[tuple[_Known, CountedTrace]], now_ms: int
    ) -> None:
        """Bring the tokens of counted traces to the tags that these have now, at the rates of then."""
        rates = self._interner.rates.values(connection, {line.rate_id for _, stood in changed for line in stood.lines})
        parts = [
            _Part(known.carrier(line.model), line.start_ms, rates[line.rate_id], line.quantity, line.count)
            for known, stood in changed
            for line in stood.lines
        ]
        ids = self._carriers.ids(connection, source_id, _first(parts), now_ms)
        row_ids = [line.row_id for _, stood in changed for line in stood.lines] + [row_id for row_id, _ in ids.values()]
        rows = Rows(connection, row_ids, rates, now_ms)
        notes = {}
        for known, stood in changed:
            lines = stood.lines
            targets = [ids[known.carrier(line.model)] for line in lines]
            if [line.row_id for line in lines] != [row_id for row_id, _ in targets] and rows.take(lines):
                for line, (row_id, tag_set_id) in zip(lines, targets, strict=True):
                    rows.put((row_id, line.start_ms, line.rate_id), tag_set_id, line)
                lines = tuple(replace(line, row_id=row_id) for line, (row_id, _) in zip(lines, targets, strict=True))
            notes[known.trace.trace_id, known.trace.at_ms] = CountedTrace(known.digest, lines)
        self._carriers.write(connection, rows.charges, rows.counts)
        put_counted(connection, source_id, notes)


def _first(parts: Sequence[_Part]) -> dict[Carrier, int]:
    """Return when each carrier's first tokens were used."""
    first: dict[Carrier, int] = {}
    for each in parts:
        first[each.carrier] = min(each.start_ms, first.get(each.carrier, each.start_ms))
    return first
