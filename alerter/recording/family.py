"""Runs within runs on their way into the ledger: which of their time the run above pays for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from alerter.core.charges import TOTAL, Confidence
from alerter.core.metering import Metered, Segment
from alerter.core.nesting import FOREVER, NESTED_TAG, has_own_machine, merged, names_machine
from alerter.pricer import Pricer
from alerter.recording.entries import Entry
from alerter.settlement import known_of
from alerter.store import run_rows
from alerter.store.interning import Interner
from alerter.store.run_rows import StoredRun

MakeEntries = Callable[[Sequence[StoredRun]], list[Entry]]
"""Stored runs as entries with their tags, usage and charges."""


class Family:
    """Finds the runs above and below entries of one source.

    Args:
        free: whether nested runs are free over the time of the run above, where its tags don't say otherwise.
    """

    def __init__(self, interner: Interner, pricer: Pricer, *, free: bool = True) -> None:
        self._interner = interner
        self._pricer = pricer
        self._free = free

    def below(self, connection: Connection, source_id: int, entries: Sequence[Entry], make: MakeEntries) -> list[Entry]:
        """Return the runs, not among the entries, whose costs may change with them: nested in them, however deep."""
        taken = {entry.run_uuid for entry in entries}
        level = [entry.run_uuid for entry in entries if _matters_below(entry)]
        found: dict[str, StoredRun] = {}
        while level:
            rows = run_rows.nested_in(connection, source_id, level)
            level = [row.run_uuid for row in rows if row.run_uuid not in found]
            found |= {row.run_uuid: row for row in rows}
        derived = make([row for uuid, row in sorted(found.items()) if uuid not in taken])
        for entry in derived:
            known = known_of(entry.known, entry.history, entry.opened)
            entry.metered = Metered(known.settled, known.open_since_ms)
            entry.reason = "parent changed"
        return derived

    def cover(self, connection: Connection, source_id: int, entries: Sequence[Entry], make: MakeEntries) -> None:
        """Tell each entry over which time the run above pays for its machine, and which machine that is."""
        known = {entry.run_uuid: entry for entry in entries}
        waiting = {entry.run_uuid: entry.parent_uuid for entry in entries if entry.parent_uuid}
        seen = {uuid: {uuid} for uuid in waiting}
        found: dict[str, Entry] = {}
        while waiting:
            missing = {parent for parent in waiting.values() if parent not in known}
            rows = run_rows.stored_runs(connection, source_id, sorted(missing))
            known |= {entry.run_uuid: entry for entry in make(list(rows.values()))}
            climbing: dict[str, str] = {}
            for uuid, parent in waiting.items():
                above = known.get(parent)
                if parent == uuid:
                    found.pop(uuid, None)  # runs that claim to be nested in each other pay each for itself
                if above is None or parent in seen[uuid]:
                    continue
                seen[uuid].add(parent)
                if uuid not in found and _has_other_params(above) and self._lends(above, known[uuid]):
                    known[uuid].is_elsewhere = True
                if uuid not in found and self._is_priced(connection, above):
                    found[uuid] = above
                if above.parent_uuid:
                    climbing[uuid] = above.parent_uuid
            waiting = climbing
        for uuid, above in found.items():
            self._cover(known[uuid], above)

    def _is_lent(self, above: Entry) -> bool:
        """Whether runs nested in one are on its machine for free."""
        wish = dict(above.tags).get(NESTED_TAG, "").strip().lower()
        return wish == "free" or (self._free and wish != "sum")

    def _lends(self, above: Entry, entry: Entry) -> bool:
        return self._is_lent(above) and not names_machine(self._pricer.resources(entry.usage))

    def _cover(self, entry: Entry, above: Entry) -> None:
        if not self._is_lent(above):
            return
        own, other = self._pricer.resources(entry.usage), self._pricer.resources(above.usage)
        if has_own_machine(own, other):
            return
        entry.cover = _time_of(above)
        entry.resource_id = other.resource_id
        if not names_machine(own):
            entry.priced_as = above.usage

    def _is_priced(self, connection: Connection, entry: Entry) -> bool:
        start_ms = entry.run.start_ms if entry.run is not None else entry.known.start_ms if entry.known else 0
        lines = self._pricer.lines(entry.usage, entry.tags, start_ms, start_ms + 1)
        if any(line.rate.confidence is not Confidence.GAP for line in lines):
            return True
        if entry.run is not None:
            return self._pricer.logged(entry.run.costs) is not None
        ids = {charge.rate_id for charge in entry.history.standing}
        ids.update(rate_id for rate_id, _ in (entry.opened.plan if entry.opened else ()))
        rates = self._interner.rates.values(connection, ids)
        return any(rate.pricing_unit == TOTAL for rate in rates.values())


def _matters_below(entry: Entry) -> bool:
    row, metered = entry.known, entry.metered
    if row is None or metered is None:
        return True
    known = known_of(row, entry.history, entry.opened)
    moved = (known.settled, known.open_since_ms) != (metered.settled, metered.open_since_ms)
    renamed = entry.run is not None and _content(entry) != (row.usage_set_id, row.tag_set_id)
    return moved or renamed or row.parent_uuid != entry.parent_uuid


def _has_other_params(entry: Entry) -> bool:
    return entry.known is not None and entry.known.usage_set_id != entry.usage_set_id


def _content(entry: Entry) -> tuple[int, int]:
    return entry.usage_set_id, entry.tag_set_id


def _time_of(entry: Entry) -> tuple[Segment, ...]:
    if entry.metered is not None:
        settled, since = entry.metered.settled, entry.metered.open_since_ms
    else:
        known = known_of(entry.known, entry.history, entry.opened)
        settled, since = known.settled, known.open_since_ms
    lasting = [each for each in settled if each[0] < each[1]]
    return merged([*lasting, *(() if since is None else ((since, FOREVER),))])
