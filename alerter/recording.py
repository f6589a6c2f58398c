"""Record what a source saw: meter, price, settle; one transaction a batch."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from alerter.core.charges import Rate
from alerter.core.metering import Metered, meter, vanished
from alerter.core.ports import Batch
from alerter.core.usage import Pairs, RunObservation
from alerter.pricer import Pricer
from alerter.settlement import Machine, Wanted, difference, frozen_pieces, known_of, plan_of, want
from alerter.store import ledger
from alerter.store.interning import Interner, digest_of
from alerter.store.ledger import Charge, History, OpenSegment, StoredRun
from alerter.store.sources import SourceState, advance
from alerter.store.totals import Attribution, add_daily, daily_parts

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What one batch changed: runs seen, written, corrected; clocks that had to be clamped."""

    seen: int = 0
    written: int = 0
    corrected: int = 0
    clamped: int = 0

    def __add__(self, other: Recorded) -> Recorded:
        return Recorded(
            self.seen + other.seen,
            self.written + other.written,
            self.corrected + other.corrected,
            self.clamped + other.clamped,
        )


@dataclass(slots=True)
class _Entry:
    """One run on its way into the ledger."""

    run_id: int
    known: StoredRun | None
    run: RunObservation | None
    digest: int
    tags: Pairs
    usage: Pairs
    tag_set_id: int
    usage_set_id: int
    history: History = field(default_factory=History)
    opened: OpenSegment | None = None
    wanted: Wanted | None = None
    reason: str = ""


class Recorder:
    """Writes observations into one ledger under one configuration.

    It remembers interned values and budget matches between batches; after a failed transaction it forgets them.
    """

    def __init__(self, interner: Interner, attribution: Attribution, pricer: Pricer) -> None:
        self._interner = interner
        self._attribution = attribution
        self._pricer = pricer

    def forget(self) -> None:
        """Drop what is remembered, after a rollback."""
        self._interner.forget()
        self._attribution.forget()

    def record(self, connection: Connection, source: SourceState, batch: Batch, *, now_ms: int) -> Recorded:
        """Record a batch and how far the source was read; runs that did not change cost one look-up."""
        uuids = [run.run_uuid for run in batch.runs] + list(batch.gone)
        known = ledger.stored_runs(connection, source.id, uuids)
        changed = [
            (run, digest)
            for run in batch.runs
            if (digest := run_digest(run)) != (row.hash if (row := known.get(run.run_uuid)) else None)
        ]
        entries = self._entries(connection, changed, known)
        entries += self._gone(connection, [known[uuid] for uuid in batch.gone if uuid in known])
        self._load(connection, entries)
        clamped = self._meter(connection, entries, now_ms, source.complete_ms or 0)
        corrected = self._write(connection, source.id, entries, now_ms)
        ledger.mark_gone(connection, [entry.run_id for entry in entries if entry.run is None])
        advance(connection, source.id, batch.cursor, swept=batch.swept)
        return Recorded(len(batch.runs), len(entries), corrected, clamped)

    def refresh(self, connection: Connection, source: SourceState, *, now_ms: int) -> int:
        """Settle accrued time where prices changed since: dated ones at their date, edited ones at the last poll.

        Returns how many open segments changed; without a change of price it writes nothing.
        """
        entries = self._open_entries(connection, source)
        changed = []
        last_seen = source.complete_ms or now_ms
        for entry in entries:
            opened = entry.opened
            if opened is None or now_ms <= opened.start_ms:
                continue
            entry.wanted = self._repriced(connection, entry, opened, last_seen, now_ms)
            if entry.wanted is not None:
                changed.append(entry)
        self._write(connection, source.id, changed, now_ms)
        return len(changed)

    def _repriced(
        self, connection: Connection, entry: _Entry, opened: OpenSegment, last_seen_ms: int, now_ms: int
    ) -> Wanted | None:
        rates = self._interner.rates.values(connection, (rate_id for rate_id, _ in opened.plan))
        plan = {(rates[rate_id], quantity) for rate_id, quantity in opened.plan}
        lines = self._pricer.lines(entry.usage, entry.tags, opened.start_ms, now_ms)
        if {(line.rate, line.quantity) for line in lines if line.end_ms == now_ms} == plan:
            return None
        at_start = {(line.rate, line.quantity) for line in lines if line.start_ms == opened.start_ms}
        until = opened.start_ms if at_start == plan else min(max(last_seen_ms, opened.start_ms), now_ms)
        settled = frozen_pieces(entry.history, None, self._rates(connection, entry.history))
        settled += [(opened.start_ms, until, rates[rate_id], quantity) for rate_id, quantity in opened.plan]
        before = known_of(entry.history, None).settled
        segments = (*before, (opened.start_ms, until)) if until > opened.start_ms else before
        return want(Metered(segments, until), settled, self._machine(entry), now_ms)

    def _machine(self, entry: _Entry) -> Machine:
        return Machine(self._pricer, entry.usage, entry.tags)

    def _open_entries(self, connection: Connection, source: SourceState) -> list[_Entry]:
        opened = ledger.open_segments(connection, source.id)
        entries = [self._stored_entry(row) for row in ledger.stored_by_id(connection, list(opened))]
        self._name(connection, entries)
        self._load(connection, entries)
        return entries

    def _entries(
        self,
        connection: Connection,
        changed: Sequence[tuple[RunObservation, int]],
        known: dict[str, StoredRun],
    ) -> list[_Entry]:
        if not changed:
            return []
        tag_ids = self._interner.tag_sets.ids(connection, {run.tags for run, _ in changed})
        usage_ids = self._interner.usage_sets.ids(connection, {run.usage for run, _ in changed})
        next_id = ledger.next_run_id(connection)
        entries = []
        for run, digest in changed:
            row = known.get(run.run_uuid)
            run_id = row.id if row else next_id
            next_id += row is None
            entries.append(
                _Entry(run_id, row, run, digest, run.tags, run.usage, tag_ids[run.tags], usage_ids[run.usage])
            )
        return entries

    def _gone(self, connection: Connection, rows: Iterable[StoredRun]) -> list[_Entry]:
        entries = [self._stored_entry(row) for row in rows]
        self._name(connection, entries)
        return entries

    def _stored_entry(self, row: StoredRun) -> _Entry:
        return _Entry(row.id, row, None, row.hash, (), (), row.tag_set_id, row.usage_set_id)

    def _name(self, connection: Connection, entries: Sequence[_Entry]) -> None:
        tags = self._interner.tag_sets.values(connection, (entry.tag_set_id for entry in entries))
        usages = self._interner.usage_sets.values(connection, (entry.usage_set_id for entry in entries))
        for entry in entries:
            entry.tags = tags[entry.tag_set_id]
            entry.usage = usages[entry.usage_set_id]

    def _load(self, connection: Connection, entries: Sequence[_Entry]) -> None:
        ids = [entry.run_id for entry in entries if entry.known is not None]
        if not ids:
            return
        histories = ledger.histories(connection, ids)
        opened = ledger.open_of(connection, ids)
        for entry in entries:
            entry.history = histories.get(entry.run_id, entry.history)
            entry.opened = opened.get(entry.run_id)

    def _meter(self, connection: Connection, entries: Sequence[_Entry], now_ms: int, last_seen_ms: int) -> int:
        clamped = 0
        for entry in entries:
            known = known_of(entry.history, entry.opened)
            if entry.run is None:
                metered, entry.reason = vanished(known, last_seen_ms=last_seen_ms), "no longer in MLflow"
            else:
                metered = meter(entry.run, known, now_ms=now_ms, last_seen_ms=last_seen_ms)
                entry.reason = _reason(entry, entry.run)
            clamped += bool(metered.clamps)
            same_usage = entry.known is not None and entry.known.usage_set_id == entry.usage_set_id
            pieces = []
            if same_usage:
                rates = self._rates(connection, entry.history, entry.opened)
                pieces = frozen_pieces(entry.history, entry.opened, rates)
            entry.wanted = want(metered, pieces, self._machine(entry), now_ms)
        return clamped

    def _rates(self, connection: Connection, history: History, opened: OpenSegment | None = None) -> dict[int, Rate]:
        ids = {charge.rate_id for charge in history.standing}
        ids.update(rate_id for rate_id, _ in (opened.plan if opened else ()))
        return self._interner.rates.values(connection, ids)

    def _write(self, connection: Connection, source_id: int, entries: Sequence[_Entry], now_ms: int) -> int:
        if not entries:
            return 0
        rate_ids = self._interner.rates.ids(connection, _rates_in(entries))
        ledger.put_runs(connection, [_row(entry, source_id) for entry in entries if entry.run is not None])
        charges, corrected = _charges(connection, entries, rate_ids, now_ms)
        ledger.add_charges(connection, charges)
        _put_open(connection, entries, rate_ids)
        shares = self._attribution.shares(connection, {charge.tag_set_id for charge in charges})
        rates = self._interner.rates.values(connection, {charge.rate_id for charge in charges})
        add_daily(connection, daily_parts(charges, shares, rates))
        return corrected


def run_digest(run: RunObservation) -> int:
    """Return a digest of everything of a run that the ledger keeps; a sign of life alone changes nothing."""
    return digest_of(
        run.status, run.start_ms, run.end_ms, run.deleted, run.name, run.user, run.experiment_id, run.tags, run.usage
    )


def _rates_in(entries: Iterable[_Entry]) -> Iterable[Rate]:
    for entry in entries:
        if entry.wanted is not None:
            yield from (line.rate for line in entry.wanted.lines)
            yield from (rate for rate, _ in entry.wanted.plan)


def _row(entry: _Entry, source_id: int) -> ledger.RunValues:
    if entry.run is None:
        raise AssertionError("only an observed run has a row to write")
    identity = (entry.run_id, source_id)
    return ledger.run_values(entry.run, identity, (entry.tag_set_id, entry.usage_set_id, entry.digest))


def _reason(entry: _Entry, run: RunObservation) -> str:
    row = entry.known
    if row is None:
        return "first seen"
    if row.tag_set_id != entry.tag_set_id:
        return "tags changed"
    if row.usage_set_id != entry.usage_set_id:
        return "params changed"
    return "deleted" if run.deleted else "times changed"


def _charges(
    connection: Connection, entries: Sequence[_Entry], rate_ids: dict[Rate, int], now_ms: int
) -> tuple[list[Charge], int]:
    charges: list[Charge] = []
    corrected = 0
    for entry in entries:
        if entry.wanted is None:
            continue
        reversals, added = difference(entry.run_id, entry.tag_set_id, entry.wanted, entry.history, rate_ids)
        if reversals:
            corrected += 1
            correction = ledger.add_correction(connection, entry.run_id, now_ms, entry.reason)
            reversals = [replace(each, correction_id=correction) for each in reversals]
            added = [replace(each, correction_id=correction) for each in added]
            log.info("charges corrected run_id=%d reason=%r", entry.run_id, entry.reason)
        charges += reversals
        charges += added
    return charges, corrected


def _put_open(connection: Connection, entries: Sequence[_Entry], rate_ids: dict[Rate, int]) -> None:
    put, drop = [], []
    for entry in entries:
        wanted = entry.wanted
        if wanted is None or wanted.open_since_ms is None:
            if entry.opened is not None:
                drop.append(entry.run_id)
            continue
        segment = OpenSegment(entry.run_id, wanted.open_since_ms, entry.tag_set_id, plan_of(wanted, rate_ids))
        if segment != entry.opened:
            put.append(segment)
    ledger.put_open(connection, put)
    ledger.drop_open(connection, drop)
