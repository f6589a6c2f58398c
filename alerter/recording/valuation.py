"""What a run's time is worth: at the rates that it was charged at, at today's prices, at the cost that it logged."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from alerter.core.charges import TOTAL, ChargeLine, Confidence, Rate
from alerter.core.metering import Metered, clipped
from alerter.core.nesting import COVERED, FOREVER, merged
from alerter.core.sharing import holds_machine
from alerter.pricer import Pricer
from alerter.recording.entries import Entry
from alerter.settlement import (
    Machine,
    Piece,
    Wanted,
    believed,
    beyond,
    joined,
    open_pieces,
    settled_pieces,
    standing_total,
    want,
    want_beside,
)
from alerter.store.interning import Interner
from alerter.store.ledger import OpenSegment


class Valuation:
    """Prices entries under one configuration, of which settled time keeps its rates."""

    def __init__(self, interner: Interner, pricer: Pricer) -> None:
        self._interner = interner
        self._pricer = pricer

    def refresh(
        self, connection: Connection, entry: Entry, until_ms: int | None, last_seen_ms: int, now_ms: int
    ) -> bool:
        """Work out anew where an accruing run should stand; return whether that differs from where it stands."""
        opened = entry.opened
        if opened is None:
            return False
        rates = self._rates(connection, entry)
        if any(rates[rate_id].pricing_unit == TOTAL for rate_id, _ in opened.plan):
            return False  # it says itself what it costs
        lives_on = until_ms == opened.until_ms
        is_covered = any(rates[rate_id].pricing_unit == COVERED for rate_id, _ in opened.plan)
        if lives_on and (until_ms is not None or is_covered or now_ms <= opened.start_ms):
            return False
        stood, ongoing = believed(entry.history, opened, rates)
        at_ms, since = now_ms if until_ms is None else until_ms, ongoing.start_ms
        if at_ms < since:
            entry.held = beyond(entry.history, opened, at_ms)
            pieces = [each for each in stood if each[0] < at_ms and _holds(entry, each[2])]
            pieces = [(start, min(end, at_ms), rate, quantity) for start, end, rate, quantity in pieces]
            since = at_ms
            entry.reason = "suspected stale"
        else:
            entry.held = ()
            pieces = self._pieces(entry, (stood, ongoing), rates, (last_seen_ms, at_ms))
            if lives_on and any(end == FOREVER for _, end, _, _ in pieces):
                return False
        entry.until_ms, entry.priced_ms = until_ms, at_ms
        settled = merged((start, end) for start, end, _, _ in stood)
        entry.metered = Metered(clipped(settled, since), since)
        entry.wanted = want_beside(entry.metered, entry.cover, pieces, self._machine(entry), (at_ms, at_ms))
        return True

    def _machine(self, entry: Entry) -> Machine:
        return Machine(self._pricer, entry.usage if entry.priced_as is None else entry.priced_as, entry.tags)

    def _rates(self, connection: Connection, entry: Entry) -> dict[int, Rate]:
        """Return the rates that a run has, of the whole machine: who shares it is worked out afterwards."""
        ids = {charge.rate_id for charge in entry.history.standing}
        if entry.opened is not None:
            ids.update(rate_id for rate_id, _ in entry.opened.plan)
            ids.update(rate_id for _, _, rate_id, _ in entry.opened.held)
        if not ids:
            return {}
        return {each: rate.unshared for each, rate in self._interner.rates.values(connection, ids).items()}

    def want(self, connection: Connection, entry: Entry, metered: Metered, now_ms: int, last_seen_ms: int) -> Wanted:
        """Return where a run's charges should stand: at the total that it logged, else at prices."""
        if entry.known is None and entry.cover is None and entry.run is not None and not entry.run.costs:
            # A new run alone: there is nothing that it was priced at before.
            entry.priced_ms = self._priced_ms(entry, metered, last_seen_ms, now_ms)
            return want(metered, (), self._machine(entry), entry.priced_ms)
        rates = self._rates(connection, entry)
        stood = standing_total(entry.history, entry.opened, rates)
        logged = self._pricer.logged(entry.run.costs) if entry.run is not None else stood
        if entry.known is not None and (stood and stood[1]) != (logged and logged[1]):
            entry.reason = "logged cost changed" if logged else "logged cost removed"
        entry.priced_ms = priced_ms = self._priced_ms(entry, metered, last_seen_ms, now_ms)
        pieces: list[Piece] = []
        if logged is not None:
            pieces = settled_pieces(entry.history, rates)
        elif stood is None and not _has_other_machine(entry):
            pieces = self._kept(entry, metered, rates, (last_seen_ms, priced_ms))
        else:
            # Other params are another machine: all of the run's time is priced anew, and not as it was once cut.
            entry.held, metered = (), _uncut(metered)
        if logged is None:
            return want_beside(metered, entry.cover, pieces, self._machine(entry), (priced_ms, now_ms))
        return want(metered, pieces, replace(self._machine(entry), logged=logged), now_ms)

    def _priced_ms(self, entry: Entry, metered: Metered, last_seen_ms: int, now_ms: int) -> int:
        """Return up to when dated prices are looked at.

        Of what accrues nothing is settled beyond the last complete poll, but where the run above began or ended since;
        `refresh` sees to the rest once the poll is complete.
        """
        if metered.open_since_ms is None or entry.until_ms is not None:
            return now_ms
        edges = (edge for segment in entry.cover or () for edge in segment if edge <= now_ms)
        return max(last_seen_ms, *edges, 0)

    def price_on(self, entry: Entry, until_ms: int) -> None:
        """Look at dated prices up to a later instant: where another run joins or leaves, what accrues is settled."""
        wanted = entry.wanted
        if wanted is None or wanted.open_since_ms is None or not any(holds_machine(rate) for rate, _ in wanted.plan):
            return
        since = max(entry.priced_ms, wanted.open_since_ms)
        if until_ms <= since:
            return
        ahead = want(Metered((), since), (), self._machine(entry), until_ms + 1)
        before = [ChargeLine(rate, quantity, wanted.open_since_ms, since) for rate, quantity in wanted.plan]
        lines = [*wanted.lines, *(line for line in before if line.start_ms < line.end_ms), *ahead.lines]
        entry.wanted = joined(Wanted(tuple(lines), ahead.open_since_ms, ahead.plan))
        entry.priced_ms = until_ms

    def _kept(self, entry: Entry, metered: Metered, rates: dict[int, Rate], times: tuple[int, int]) -> list[Piece]:
        """Return what keeps its rates of a run that is looked at again."""
        opened = entry.opened
        if opened is None or metered.open_since_ms is None:
            stood = believed(entry.history, opened, rates) if opened else (settled_pieces(entry.history, rates), None)
            return self._pieces(entry, stood, rates, times)
        # What goes on keeps its prices until the poll is complete (`refresh`), a suspect's until it wakes.
        pieces = [piece for piece in settled_pieces(entry.history, rates) if _holds(entry, piece[2])]
        ongoing = [(opened.start_ms, FOREVER, rates[rate_id], quantity) for rate_id, quantity in opened.plan]
        return pieces + (ongoing if all(_holds(entry, piece[2]) for piece in ongoing) else [])

    def _pieces(
        self,
        entry: Entry,
        stood: tuple[list[Piece], OpenSegment | None],
        rates: dict[int, Rate],
        times: tuple[int, int],
    ) -> list[Piece]:
        """Return what keeps its rates; ``times`` are the last complete poll, and up to when the run counts."""
        settled, opened = stood
        pieces = [piece for piece in settled if _holds(entry, piece[2])]
        if opened is not None and all(_holds(entry, rates[rate_id]) for rate_id, _ in opened.plan):
            last_seen_ms, now_ms = times
            pieces += open_pieces(opened, rates, self._machine(entry), last_seen_ms=last_seen_ms, now_ms=now_ms)
        return pieces


def _uncut(metered: Metered) -> Metered:
    """Return the same time in as few pieces as there are gaps in it."""
    since = metered.open_since_ms
    whole = merged([*metered.settled, *(() if since is None else ((since, FOREVER),))])
    if since is None:
        return replace(metered, settled=whole)
    return replace(metered, settled=whole[:-1], open_since_ms=whole[-1][0])


def _has_other_machine(entry: Entry) -> bool:
    return entry.known is None or entry.known.usage_set_id != entry.usage_set_id or entry.is_elsewhere


def _holds(entry: Entry, rate: Rate) -> bool:
    """Whether time stays at a rate: not where another run paid, nor at none where the run above has a machine."""
    if rate.pricing_unit == COVERED:
        return False
    return entry.priced_as is None or rate.confidence is not Confidence.GAP
