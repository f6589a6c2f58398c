"""Record what a source saw: meter, price, settle; one transaction a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from operator import itemgetter

from sqlalchemy import Connection

from alerter.core.charges import TOTAL
from alerter.core.liveness import Patience
from alerter.core.metering import Metered, after, meter, vanished
from alerter.core.ports import Batch
from alerter.core.usage import RunObservation
from alerter.pricer import Pricer
from alerter.recording.clamping import note_clamps
from alerter.recording.corrections import Counted, charges_of
from alerter.recording.endings import just_ended, note_endings
from alerter.recording.entries import (
    Entry,
    put_open,
    rates_in,
    reason_of,
    row_of,
)
from alerter.recording.family import Family
from alerter.recording.isolation import POISON, isolated
from alerter.recording.life import Heard, hear_descendants, suspects, tell_ancestors
from alerter.recording.loading import Loader
from alerter.recording.newcomers import Newcomer, Newcomers
from alerter.recording.outcome import NotNewError, Recorded
from alerter.recording.sharing import Sharing, divide, note_times
from alerter.recording.valuation import Valuation
from alerter.settlement import known_of
from alerter.store import ledger, run_rows
from alerter.store.interning import Interner
from alerter.store.ledger import ChargeValues
from alerter.store.sources import SourceState, advance
from alerter.store.totals import Attribution


class Recorder:
    """Writes observations into one ledger under one configuration.

    It remembers interned values and budget matches between batches; after a failed transaction it forgets them.
    """

    def __init__(
        self,
        interner: Interner,
        attribution: Attribution,
        pricer: Pricer,
        patience: Patience | None = None,
        *,
        free: bool = True,
    ) -> None:
        self._interner = interner
        self._attribution = attribution
        self._newcomers = Newcomers(interner, pricer)
        self._loader = Loader(interner)
        self._valuation = Valuation(interner, pricer)
        self._patience = patience or Patience()
        self._family = Family(interner, pricer, free=free)
        self._sharing = Sharing(interner, pricer)
        self._heard = Heard()

    def forget(self) -> None:
        """Drop what is remembered, after a rollback."""
        self._interner.forget()
        self._attribution.forget()

    def record(
        self,
        connection: Connection,
        source: SourceState,
        batch: Batch,
        *,
        now_ms: int,
        seen_ms: int = 0,
        new: bool = False,
    ) -> Recorded:
        """Record a batch and how far the source was read; runs that did not change cost one look-up.

        A run that can't be recorded is logged, counted and set aside without the rest; the next poll that reads it
        tries again.

        Args:
            connection: in a transaction.
            source: as it was when the poll began.
            batch: what was read.
            now_ms: when the poll began.
            seen_ms: when the batch was there, if that is later: runs begin and end while a poll goes on.
            new: none of its runs is looked for, and all are recorded or none, which is quicker.

        Raises:
            NotNewError: what should be new isn't, or can't be recorded; the transaction must be given up.
        """
        self._heard.hear(source.id, now_ms, batch.runs)
        at_ms = max(now_ms, seen_ms)
        if new:
            # Without a savepoint, for which SQLite copies each page that it changes.
            try:
                recorded = self._record(connection, source, batch.runs, batch.gone, at_ms, new=True)
            except POISON as error:
                raise NotNewError from error
        else:
            items: list[RunObservation | str] = [*batch.runs, *batch.gone]
            some = partial(self._some, connection, source, now_ms=at_ms)
            recorded = isolated(connection, items, some, self.forget)
        advance(connection, source.id, batch.cursor, swept=batch.swept)
        return recorded

    def _some(
        self, connection: Connection, source: SourceState, items: Sequence[RunObservation | str], *, now_ms: int
    ) -> Recorded:
        """Record runs that were seen, and, by MLflow's ids, those that are gone."""
        runs = [each for each in items if not isinstance(each, str)]
        return self._record(connection, source, runs, [each for each in items if isinstance(each, str)], now_ms)

    def _record(
        self,
        connection: Connection,
        source: SourceState,
        runs: Sequence[RunObservation],
        gone: Sequence[str],
        now_ms: int,
        *,
        new: bool = False,
    ) -> Recorded:
        looked_for = [*([] if new else [run.run_uuid for run in runs]), *gone]
        known = run_rows.stored_runs(connection, source.id, looked_for)
        changed = self._loader.changed(connection, runs, known)
        newcomers, others = self._newcomers.part(connection, source.id, changed, known, now_ms)
        fresh = self._enter(connection, source, newcomers)
        entries = self._loader.observed(connection, others, known)
        entries += self._loader.stored(connection, [known[uuid] for uuid in gone if uuid in known])
        entries = self._heard.put_off(entries)
        clamped = self._meter(entries, now_ms, source.complete_ms or 0)
        priced = self._price(connection, source, entries, now_ms)
        corrected = self._write(connection, source, priced, now_ms)
        run_rows.mark_gone(connection, [entry.run_id for entry in entries if entry.run is None])
        written = (*fresh, *(entry.run_id for entry in entries))
        return Recorded(len(runs), len(written), corrected, clamped, changed=written)

    def _enter(self, connection: Connection, source: SourceState, newcomers: Sequence[Newcomer]) -> range:
        """Write runs that need no more than that; return the ledger's ids of them."""
        if not newcomers:
            return range(0)
        ids, charges = self._newcomers.write(connection, source.id, newcomers)
        note_endings(connection, source, zip(ids, (run.end_ms for run, _, _ in newcomers), strict=True))
        self._count(connection, charges, {kind.tag_set_id for kind in set(map(itemgetter(1), newcomers))})
        return ids

    def refresh(self, connection: Connection, source: SourceState, *, now_ms: int) -> Recorded:
        """Bring what accrues up to date: who is alive, and what it costs now.

        Accrued time is settled where prices changed since: dated ones at their date, edited ones at the last poll.
        Call it when a poll at ``now_ms`` is complete, before it is marked so: ``source`` still tells of the one before.
        Where neither a price nor anybody's life changed it writes nothing; a run that can't be recorded is set aside.
        """
        self._heard.hear(source.id, now_ms)
        runs = sorted(ledger.open_runs(connection, source.id))
        refreshed = isolated(connection, runs, partial(self._refresh, connection, source, now_ms), self.forget)
        self._heard.ended.clear()
        return refreshed

    def _refresh(self, connection: Connection, source: SourceState, now_ms: int, runs: Sequence[str]) -> Recorded:
        """Bring these up to date of all that accrue."""
        last_seen_ms, goes_on = source.complete_ms or 0, frozenset(runs) - self._heard.ended.keys()
        opened = ledger.open_segments(connection, source.id)
        entries = self._loader.stored(connection, run_rows.stored_by_id(connection, list(opened)))
        patience = self._patience
        untils = suspects(connection, source, entries, heard=self._heard, patience=patience, now_ms=now_ms)
        rows = {each.run_uuid: each.known for each in entries if each.known is not None}
        stopped = [self._heard.ended[uuid] for uuid in runs if uuid in self._heard.ended]
        ended = self._loader.observed(connection, stopped, rows)
        for entry in ended:
            entry.until_ms = untils.get(entry.run_uuid)
        self._meter(ended, now_ms, last_seen_ms)
        running = [entry for entry in entries if entry.run_uuid in goes_on]
        nested = [entry for entry in running if entry.parent_uuid]
        self._family.cover(connection, source.id, [*nested, *ended], partial(self._loader.stored, connection))
        changed = [
            entry
            for entry in running
            if self._valuation.refresh(connection, entry, untils[entry.run_uuid], last_seen_ms, now_ms)
        ]
        self._write(connection, source, self._price(connection, source, [*changed, *ended], now_ms), now_ms)
        return Recorded(written=len(changed) + len(ended))

    def _meter(self, entries: Sequence[Entry], now_ms: int, last_seen_ms: int) -> int:
        clamped = 0
        for entry in entries:
            known = known_of(entry.known, entry.history, entry.opened)
            if known.until_ms != entry.until_ms:
                known = replace(known, until_ms=entry.until_ms)
            if entry.run is None:
                entry.metered, entry.reason = vanished(known, last_seen_ms=last_seen_ms), "no longer in MLflow"
            else:
                entry.metered = meter(entry.run, known, now_ms=now_ms, last_seen_ms=last_seen_ms)
                entry.reason = reason_of(entry, entry.run)
            clamped += bool(entry.metered.clamps)
        return clamped

    def _price(self, connection: Connection, source: SourceState, entries: Sequence[Entry], now_ms: int) -> list[Entry]:
        """Price metered entries; return them and the runs whose costs follow: nested in them, or on their machines."""
        make = partial(self._loader.stored, connection)
        family = [*entries, *self._family.below(connection, source.id, entries, make)]
        self._value(connection, source, family, family, now_ms)
        groups = self._sharing.groups(connection, source.id, family)
        others = self._sharing.others(connection, groups, family, make)
        self._value(connection, source, others, [*family, *others] if others else (), now_ms)
        divide(groups, others, self._valuation.price_on)
        return [*family, *others]

    def _value(
        self,
        connection: Connection,
        source: SourceState,
        entries: Sequence[Entry],
        whole: Sequence[Entry],
        now_ms: int,
    ) -> None:
        """Work out where entries should stand that don't have it yet, as if nobody shared their machines."""
        self._family.cover(connection, source.id, whole, partial(self._loader.stored, connection))
        for entry in entries:
            if entry.wanted is not None:
                continue
            metered = entry.metered or Metered((), None)
            if entry.known is not None and entry.known.folded_ms is not None:
                metered = after(metered, entry.known.folded_ms)
            suspected = metered.open_since_ms is not None and entry.until_ms is not None
            at_ms = entry.until_ms if suspected and entry.until_ms is not None else now_ms
            entry.wanted = self._valuation.want(connection, entry, metered, at_ms, source.complete_ms or 0)
            if any(rate.pricing_unit == TOTAL for rate, _ in entry.wanted.plan):
                entry.until_ms = None  # it says itself what it costs

    def _write(self, connection: Connection, source: SourceState, entries: Sequence[Entry], now_ms: int) -> int:
        if not entries:
            return 0
        rate_ids = self._interner.rates.ids(connection, rates_in(entries))
        run_rows.put_runs(connection, [row_of(entry, source.id) for entry in entries if entry.run is not None])
        counted = Counted(connection, entries, self._interner, self._attribution, source.complete_ms or 0)
        charges, corrected = charges_of(connection, entries, rate_ids, counted, now_ms)
        ledger.add_charges(connection, charges)
        hear_descendants(connection, source.id, entries)
        put_open(connection, entries, rate_ids)
        note_endings(connection, source, just_ended(entries))
        note_times(connection, entries)
        note_clamps(connection, entries, now_ms)
        tell_ancestors(connection, source.id, entries)
        # Those of runs without a charge too: a reader finds every scope there and needn't write.
        self._count(connection, charges, {each.tag_set_id for row in (entries, charges) for each in row})
        return corrected

    def _count(self, connection: Connection, charges: Sequence[ChargeValues], tag_set_ids: set[int]) -> None:
        """Add charges to the daily totals of the scopes that they count for."""
        rates = self._interner.rates.values(connection, set(map(itemgetter(6), charges)))
        self._attribution.count(connection, charges, tag_set_ids, rates)
