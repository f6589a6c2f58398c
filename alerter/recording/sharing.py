"""Runs on one machine on their way into the ledger: which part of its cost each pays, and whose parts that changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from sqlalchemy import Connection

from alerter.core.metering import Metered, Segment
from alerter.core.nesting import FOREVER, merged
from alerter.core.sharing import Slice, cut, cut_open, differing, holds_machine, overlaps, share_out
from alerter.pricer import Pricer
from alerter.recording.entries import Entry
from alerter.settlement import Wanted, joined, known_of, standing
from alerter.store import ledger, run_rows
from alerter.store.interning import Interner, digest_of
from alerter.store.ledger import History, OpenSegment
from alerter.store.machine_times import MachineTime, drop_times, holding, put_times, times_of
from alerter.store.run_rows import StoredRun

MakeEntries = Callable[[Sequence[StoredRun]], list[Entry]]
"""Stored runs as entries with their tags, usage and charges."""

Times = tuple[Segment, ...]


class Group:
    """What changes on one machine: its entries, when runs hold it, and the time in which others' parts change."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.held: dict[str, Times] = {}
        self.moved: list[Segment] = []
        self.affected: set[int] = set()

    def take(self, entry: Entry, before: Times, after: Times) -> None:
        """Add an entry that held the machine at some times, and should at others."""
        self.entries.append(entry)
        self.held[entry.run_uuid] = after
        self.moved += differing(before, after)


class Sharing:
    """Finds the runs of one source that name the same machine, by ``resource_id``."""

    def __init__(self, interner: Interner, pricer: Pricer) -> None:
        self._interner = interner
        self._pricer = pricer

    def groups(self, connection: Connection, source_id: int, entries: Sequence[Entry]) -> dict[int, Group]:
        """Return the machines that some entries hold or held, by what `machine_time` calls them.

        An entry's ``wanted`` is of the whole machine before; `divide` makes it of its part.
        """
        known = times_of(connection, [entry.run_id for entry in entries if entry.known is not None])
        groups: dict[int, Group] = defaultdict(Group)
        for entry in entries:
            row, machine = known.get(entry.run_id), self._machine(source_id, entry)
            if entry.wanted is None or (row is None and machine is None):
                continue
            entry.wanted = joined(entry.wanted)
            before = self._stood(connection, entry.history, entry.opened) if row else ()
            if row is not None and row.machine != machine:
                groups[row.machine].moved += before
                before = ()
            after = _times(entry.wanted, entry.until_ms)
            now = MachineTime(entry.run_id, machine, after[0][0], after[-1][1]) if machine and after else None
            entry.machine_time = (row, now)
            if machine is not None:
                groups[machine].take(entry, before, after)
        return groups

    def others(
        self, connection: Connection, groups: Mapping[int, Group], entries: Sequence[Entry], make: MakeEntries
    ) -> list[Entry]:
        """Return the runs, not among the entries, whose parts change; the groups then know when each run is there."""
        taken = {entry.run_id for entry in entries}
        found = []
        for machine, group in groups.items():
            moved = merged(group.moved)
            own = [span for times in group.held.values() for span in times]
            near = self._holders(connection, machine, [*moved, *own], taken)
            group.affected = {run_id for run_id, times in near.items() if overlaps(times, moved)}
            theirs = [span for run_id in group.affected for span in near[run_id]]
            near |= self._holders(connection, machine, theirs, taken | near.keys())
            rows = run_rows.stored_by_id(connection, sorted(near))
            group.held |= {row.run_uuid: near[row.id] for row in rows}
            found += [row for row in rows if row.id in group.affected]
        derived = make(sorted(found, key=lambda row: row.id))
        for entry in derived:
            known = known_of(entry.known, entry.history, entry.opened)
            entry.metered = Metered(known.settled, known.open_since_ms)
            entry.reason = "machine shared"
        return derived

    def _machine(self, source_id: int, entry: Entry) -> int | None:
        name = self._pricer.resources(entry.usage).resource_id or entry.resource_id
        return None if name is None else digest_of(source_id, name)

    def _holders(
        self, connection: Connection, machine: int, spans: Iterable[Segment], taken: set[int]
    ) -> dict[int, Times]:
        """Return when the runs hold a machine that may hold it within some spans, by id, but for those taken."""
        windows = merged(spans)
        if not windows:
            return {}
        rows = holding(connection, machine, windows[0][0], windows[-1][1])
        ids = [
            row.run_id for row in rows if row.run_id not in taken and overlaps([(row.start_ms, row.end_ms)], windows)
        ]
        histories, opened = ledger.histories(connection, ids), ledger.open_of(connection, ids)
        return {each: self._stood(connection, histories.get(each, History()), opened.get(each)) for each in ids}

    def _stood(self, connection: Connection, history: History, opened: OpenSegment | None) -> Times:
        """Return when a run holds its machine as the ledger has it."""
        rates = self._interner.rates.values(connection, _rate_ids(history, opened))
        return _times(standing(history, opened, rates), opened.until_ms if opened else None)


def divide(groups: Mapping[int, Group], others: Sequence[Entry], price_on: Callable[[Entry, int], None]) -> None:
    """Cut what entries and others should cost into their parts of the machines.

    ``price_on`` looks at an entry's prices up to where it is cut.
    """
    for entry in others:
        entry.wanted = joined(entry.wanted or Wanted((), None, ()))
    for group in groups.values():
        concerned = [*group.entries, *(entry for entry in others if entry.run_id in group.affected)]
        slices = share_out(group.held, {entry.run_uuid for entry in concerned})
        for entry in concerned:
            cuts = slices[entry.run_uuid]
            if cuts:
                price_on(entry, cuts[-1][0])
            if entry.wanted is not None:
                entry.wanted = _parts(entry.wanted, cuts)


def note_times(connection: Connection, entries: Sequence[Entry]) -> None:
    """Write when runs hold the machines whose cost they share, where that changed."""
    moved = [entry.machine_time for entry in entries if entry.machine_time[0] != entry.machine_time[1]]
    put_times(connection, [after for _, after in moved if after is not None])
    drop_times(connection, [before.run_id for before, after in moved if before is not None and after is None])


def _rate_ids(history: History, opened: OpenSegment | None) -> set[int]:
    plan = opened.plan if opened else ()
    return {charge.rate_id for charge in history.standing} | {rate_id for rate_id, _ in plan}


def _parts(wanted: Wanted, slices: Sequence[Slice]) -> Wanted:
    """Return a run's parts of what its machine costs."""
    lines = tuple(cut(wanted.lines, slices))
    if wanted.open_since_ms is None:
        return Wanted(lines, None, ())
    settled, since, plan = cut_open(wanted.open_since_ms, wanted.plan, slices)
    return Wanted((*lines, *settled), since, plan)


def _times(wanted: Wanted, until_ms: int | None) -> Times:
    """Return when a run holds a machine that it pays for."""
    found = [(line.start_ms, line.end_ms) for line in wanted.lines if holds_machine(line.rate)]
    since = wanted.open_since_ms
    if since is not None and any(holds_machine(rate) for rate, _ in wanted.plan):
        found.append((since, FOREVER if until_ms is None else until_ms))
    return merged(each for each in found if each[0] < each[1])
