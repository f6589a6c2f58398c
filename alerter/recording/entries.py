"""One run on its way into the ledger: what it was, what it should be, and the rows that make the difference."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from alerter.core.charges import Rate, cost_until
from alerter.core.metering import Metered, Segment
from alerter.core.usage import Pairs, RunObservation
from alerter.settlement import Wanted, plan_of
from alerter.store import ledger, run_rows
from alerter.store.ledger import Held, History, OpenSegment
from alerter.store.machine_times import MachineTime
from alerter.store.run_rows import StoredRun

MAX_RUN_NANOS = 2**59
"""About 576 million units of the currency: what one run can't have cost, and sixteen of them still fit 64 bits."""


@dataclass(slots=True)
class Entry:
    """One run on its way into the ledger.

    ``until_ms`` and ``kin_ms`` are what its open segment should say of its life, ``held`` what a suspect's time is
    priced at after ``until_ms``; ``priced_ms`` is up to when dated prices were looked at. ``cover`` is the time that
    the run above pays for (None where none does); ``priced_as`` is that run's usage where this one names no machine,
    ``is_elsewhere`` whether one above has just changed its machine, ``resource_id`` that run's where this one has none.
    ``machine_time`` is when it held a machine whose cost it shares, as that was noted and as it is.
    """

    run_id: int
    known: StoredRun | None
    run: RunObservation | None
    tags: Pairs
    usage: Pairs
    tag_set_id: int
    usage_set_id: int
    history: History = field(default_factory=History)
    opened: OpenSegment | None = None
    wanted: Wanted | None = None
    reason: str = ""
    until_ms: int | None = None
    kin_ms: int | None = None
    metered: Metered | None = None
    cover: tuple[Segment, ...] | None = None
    priced_as: Pairs | None = None
    is_elsewhere: bool = False
    held: Held = ()
    resource_id: str | None = None
    priced_ms: int = 0
    machine_time: tuple[MachineTime | None, MachineTime | None] = (None, None)

    @property
    def run_uuid(self) -> str:
        """MLflow's id of it."""
        if self.run is not None:
            return self.run.run_uuid
        return self.known.run_uuid if self.known is not None else ""

    @property
    def parent_uuid(self) -> str | None:
        """MLflow's id of the run that it is nested in."""
        if self.run is not None:
            return self.run.parent_uuid
        return self.known.parent_uuid if self.known is not None else None


def check_cost(nanos: int) -> None:
    """Refuse what no run can have cost: it would not fit the ledger's sums.

    Raises:
        OverflowError: it is more than `MAX_RUN_NANOS`.
    """
    if nanos > MAX_RUN_NANOS:
        raise OverflowError(f"a cost of {nanos} nanos is more than a run can have")


def accrued_nanos(wanted: Wanted, now_ms: int) -> int:
    """Return what an open segment has come to."""
    since = wanted.open_since_ms
    if since is None:
        return 0
    return sum(cost_until(rate, quantity, (since, now_ms), now_ms) for rate, quantity in wanted.plan)


def rates_in(entries: Iterable[Entry]) -> Iterable[Rate]:
    """Yield every rate that the entries' charges and open segments should have."""
    for entry in entries:
        if entry.wanted is not None:
            yield from (line.rate for line in entry.wanted.lines)
            yield from (rate for rate, _ in entry.wanted.plan)


def row_of(entry: Entry, source_id: int) -> run_rows.RunValues:
    """Return an observed run's row."""
    if entry.run is None:
        raise AssertionError("only an observed run has a row to write")
    return run_rows.run_values(entry.run, (entry.run_id, source_id), (entry.tag_set_id, entry.usage_set_id))


def reason_of(entry: Entry, run: RunObservation) -> str:
    """Return why a run's charges are corrected, if they are."""
    row = entry.known
    if row is None:
        return "first seen"
    if row.tag_set_id != entry.tag_set_id:
        return "tags changed"
    if row.usage_set_id != entry.usage_set_id:
        return "params changed"
    return "deleted" if run.deleted else "times changed"


def put_open(connection: Connection, entries: Sequence[Entry], rate_ids: dict[Rate, int]) -> None:
    """Write the open segments that changed, and remove those of runs that no longer accrue."""
    put, drop = [], []
    for entry in entries:
        wanted = entry.wanted
        if wanted is None or wanted.open_since_ms is None:
            if entry.opened is not None:
                drop.append(entry.run_id)
            continue
        life = (entry.until_ms, entry.kin_ms, () if entry.until_ms is None else entry.held)
        segment = OpenSegment(entry.run_id, wanted.open_since_ms, entry.tag_set_id, plan_of(wanted, rate_ids), *life)
        if segment != entry.opened:
            put.append(segment)
    ledger.put_open(connection, put)
    ledger.drop_open(connection, drop)
