"""Which runs that accrue are still alive: what a poll heard of them, and of the runs nested in them."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from alerter.core.liveness import Life, Patience, counted_to
from alerter.core.metering import meter
from alerter.core.usage import RunObservation, RunStatus
from alerter.recording.entries import Entry
from alerter.settlement import known_of
from alerter.store import ledger, run_rows
from alerter.store.bulk import insert_rows
from alerter.store.sources import SourceState


class Heard:
    """What one poll of one source heard of running runs, and which suspects it saw ended; another poll begins anew."""

    def __init__(self) -> None:
        self._poll: tuple[int, int] | None = None
        self.metrics: dict[str, int] = {}
        self.ended: dict[str, RunObservation] = {}

    def hear(self, source_id: int, now_ms: int, runs: Iterable[RunObservation] = ()) -> None:
        """Take the signs of life in a batch, or in none; a metric's time alone is not written anywhere."""
        if (source_id, now_ms) != self._poll:
            self._poll, self.metrics, self.ended = (source_id, now_ms), {}, {}
        for run in runs:
            if run.last_metric_ms is not None and run.is_live:
                self.metrics[run.run_uuid] = run.last_metric_ms

    def put_off(self, entries: Sequence[Entry]) -> list[Entry]:
        """Keep the suspects that ended for the poll's end, when it is known who nested in them is alive."""
        now = []
        for entry in entries:
            run, opened = entry.run, entry.opened
            stopped = run is not None and run.status not in {RunStatus.RUNNING, RunStatus.SCHEDULED}
            if run is not None and stopped and opened is not None and opened.until_ms is not None:
                self.ended[run.run_uuid] = run
                if run.last_metric_ms is not None:
                    self.metrics[run.run_uuid] = run.last_metric_ms
            else:
                now.append(entry)
        return now


def suspects(
    connection: Connection,
    source: SourceState,
    entries: Sequence[Entry],
    *,
    heard: Heard,
    patience: Patience,
    now_ms: int,
) -> dict[str, int | None]:
    """Return up to when each accruing run of a source counts, by its id; None for those that are believed to run.

    A run lives as long as any run nested in it counts.
    """
    by_uuid = {entry.known.run_uuid: entry for entry in entries if entry.known is not None}
    above = _nearest_open(connection, source.id, by_uuid)
    waiting = dict.fromkeys(by_uuid, 0)
    for parent in above.values():
        waiting[parent] += 1
    kin = {uuid: entry.opened.kin_ms for uuid, entry in by_uuid.items() if entry.opened is not None}
    # What was noted of one that is put off may be more than it comes to: its end may lie before that.
    kin |= {uuid: _last_end_below(connection, source.id, uuid) for uuid in _above_ended(heard, above)}
    ready = deque(uuid for uuid, count in waiting.items() if not count)
    looped = iter(sorted(by_uuid))
    found: dict[str, int | None] = {}
    while len(found) < len(by_uuid):
        # Runs that claim to be nested in each other are taken in order of their ids.
        uuid = ready.popleft() if ready else next(each for each in looped if each not in found)
        if uuid in found:
            continue
        life = _life(by_uuid[uuid], heard.metrics.get(uuid), kin.get(uuid))
        found[uuid] = until = counted_to(life, patience, now_ms)
        parent = above.get(uuid, "")
        if parent and parent not in found:
            counted = _counted(by_uuid[uuid], heard, until, (source.complete_ms or 0, now_ms))
            signs = (each for each in (counted, kin.get(uuid), kin.get(parent)) if each is not None)
            kin[parent] = max(signs, default=None)
            waiting[parent] -= 1
            if not waiting[parent]:
                ready.append(parent)
    return found


def _above_ended(heard: Heard, above: Mapping[str, str]) -> set[str]:
    """Return the accruing runs above those that are put off."""
    found: set[str] = set()
    climbing = {above[uuid] for uuid in heard.ended if uuid in above}
    while climbing:
        found |= climbing
        climbing = {above[uuid] for uuid in climbing if uuid in above} - found
    return found


def _life(entry: Entry, metric_ms: int | None, kin_ms: int | None) -> Life:
    since = known_of(entry.known, entry.history, entry.opened).stretch_ms
    if entry.known is None or since is None:
        raise AssertionError("only a run that accrues is asked for its life")
    return Life(min(entry.known.start_ms, since), since, metric_ms, kin_ms)


def _counted(entry: Entry, heard: Heard, until: int | None, times: tuple[int, int]) -> int | None:
    """Return up to when a run counts, also of one that was put off because it ended; None if it doesn't count at all.

    ``times`` are the last complete poll and this one.
    """
    last_seen_ms, now_ms = times
    ended = heard.ended.get(entry.run_uuid)
    if ended is None:
        return now_ms if until is None else until
    known = replace(known_of(entry.known, entry.history, entry.opened), until_ms=until)
    metered = meter(ended, known, now_ms=now_ms, last_seen_ms=last_seen_ms)
    return max((end for start, end in metered.settled if start < end), default=None)


def _nearest_open(connection: Connection, source_id: int, by_uuid: Mapping[str, Entry]) -> dict[str, str]:
    """Return the nearest ancestor of each run that accrues itself, where there is one."""
    parents = {uuid: entry.known.parent_uuid for uuid, entry in by_uuid.items() if entry.known is not None}
    found = {uuid: parent for uuid, parent in parents.items() if parent in by_uuid and parent is not None}
    climbing = {uuid: parent for uuid, parent in parents.items() if parent is not None and uuid not in found}
    seen: set[str] = set()
    while climbing:
        rows = run_rows.stored_runs(connection, source_id, sorted(set(climbing.values()) - seen))
        seen.update(climbing.values())
        above = {uuid: rows[parent].parent_uuid for uuid, parent in climbing.items() if parent in rows}
        found |= {uuid: parent for uuid, parent in above.items() if parent in by_uuid and parent != uuid and parent}
        climbing = {uuid: parent for uuid, parent in above.items() if parent and parent not in by_uuid}
    return found


def tell_ancestors(connection: Connection, source_id: int, entries: Sequence[Entry]) -> None:
    """Note on accruing runs up to when those counted that are nested in them and don't accrue any more."""
    fresh = [entry.run.run_uuid for entry in entries if entry.run is not None and entry.known is None]
    nested = [entry for entry in entries if entry.parent_uuid is not None]
    moved = [entry for entry in entries if entry.known is not None and entry.known.parent_uuid != entry.parent_uuid]
    if not nested and not moved:
        return
    anew = {each for entry in moved if entry.known for each in (entry.known.parent_uuid, entry.parent_uuid) if each}
    later = {row.parent_uuid for row in run_rows.nested_in(connection, source_id, fresh)}
    ends: dict[str, int] = {}
    for entry in nested:
        parent = entry.parent_uuid or ""
        before = max((charge.end_ms for charge in entry.history.standing), default=0)
        after = max((line.end_ms for line in entry.wanted.lines), default=0) if entry.wanted else before
        if after < before or (entry.run is not None and entry.run.run_uuid in later):
            anew.add(parent)
        if after and entry.wanted is not None and entry.wanted.open_since_ms is None:
            ends[parent] = max(after, ends.get(parent, 0))
    _raise(connection, source_id, ends)
    _recount(connection, source_id, anew)


def _raise(connection: Connection, source_id: int, ends: dict[str, int]) -> None:
    raised: dict[str, int] = {}
    while ends := {uuid: end for uuid, end in ends.items() if end > raised.get(uuid, 0)}:
        raised |= ends
        rows = run_rows.stored_runs(connection, source_id, sorted(ends))
        later = "UPDATE open_segment SET kin_ms = ? WHERE run_id = ? AND (kin_ms IS NULL OR kin_ms < ?)"
        insert_rows(connection, later, [(ends[uuid], row.id, ends[uuid]) for uuid, row in rows.items()])
        above: dict[str, int] = {}
        for uuid, row in rows.items():
            if row.parent_uuid is not None:
                above[row.parent_uuid] = max(ends[uuid], above.get(row.parent_uuid, 0))
        ends = above


def _recount(connection: Connection, source_id: int, uuids: set[str]) -> None:
    seen: set[str] = set()
    while uuids:
        seen.update(uuids)
        rows = run_rows.stored_runs(connection, source_id, sorted(uuids))
        for run_id in ledger.open_of(connection, [row.id for row in rows.values()]):
            uuid = next(each for each, row in rows.items() if row.id == run_id)
            kin = _last_end_below(connection, source_id, uuid)
            insert_rows(connection, "UPDATE open_segment SET kin_ms = ? WHERE run_id = ?", [(kin, run_id)])
        uuids = {row.parent_uuid for row in rows.values() if row.parent_uuid is not None} - seen


def hear_descendants(connection: Connection, source_id: int, entries: Sequence[Entry]) -> None:
    """Give runs that begin to accrue what was recorded before of the runs nested in them that have ended."""
    accrue = {each.run_id for each in entries if each.wanted is not None and each.wanted.open_since_ms is not None}
    for entry in entries:
        wanted = entry.wanted
        if entry.run is not None and entry.opened is None and wanted is not None and wanted.open_since_ms is not None:
            entry.kin_ms = _last_end_below(connection, source_id, entry.run.run_uuid, accrue)


def _last_end_below(connection: Connection, source_id: int, uuid: str, accrue: Collection[int] = ()) -> int | None:
    """Return up to when any run counted that is nested in one, however deep, and doesn't accrue.

    ``accrue`` are runs that begin to in this batch.
    """
    below: set[int] = set()
    seen, level = {uuid}, {uuid}
    while level:
        rows = [row for row in run_rows.nested_in(connection, source_id, sorted(level)) if row.run_uuid not in seen]
        level = {row.run_uuid for row in rows}
        seen |= level
        below.update(row.id for row in rows)
    if not below:
        return None
    ended = sorted(below - ledger.open_of(connection, sorted(below)).keys() - set(accrue))
    histories = ledger.histories(connection, ended)
    return max((charge.end_ms for each in histories.values() for charge in each.standing), default=None)
