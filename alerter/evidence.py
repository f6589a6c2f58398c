"""The runs behind a number: who spent how much in a scope's period, and how much of it had a price."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from heapq import heappush, heappushpop

from sqlalchemy import Connection

from alerter.core.charges import Confidence, Rate
from alerter.core.periods import day_of
from alerter.core.price_age import is_old
from alerter.store.bulk import select_in

ScopeKey = tuple[int, int]
"""(budget id, scope id)."""

Window = tuple[int, int]
"""``[start, end)`` in epoch ms."""


@dataclass(slots=True)
class RunShare:
    """What one run cost in a scope's period, in nanos; ``per_hour`` is its burn now, ``stale`` is not counted.

    ``logged`` counts the lines at a total that the run logged itself; ``unpriced_tokens`` have no price.
    """

    run_id: int
    cost: int = 0
    recent: int = 0
    per_hour: int = 0
    running: bool = False
    stale: int = 0
    logged: int = 0
    unpriced_tokens: int = 0


@dataclass(slots=True)
class Evidence:
    """What a scope's runs come to, added one after the other; only the dearest of them are kept, ``keep`` if given.

    ``recent`` is what was spent in the last 24 hours, ``leader`` who spent most of it. ``stale`` is what runs that are
    suspected stale would have cost since their last signs of life. ``time`` is run time in ms by how far it could be
    priced; an hour of a run counts once. ``rates`` are those that any line stands at, each under what names it.
    """

    keep: int | None = None
    count: int = 0
    recent: int = 0
    stale: int = 0
    unpriced_tokens: int = 0
    leader: RunShare | None = None
    time: dict[Confidence, int] = field(default_factory=lambda: dict.fromkeys(Confidence, 0))
    rates: set[Rate] = field(default_factory=set)
    _kept: list[tuple[int, int, int, RunShare]] = field(default_factory=list)

    def add(self, run: RunShare, time: Mapping[Confidence, int]) -> None:
        """Add a run with its time."""
        self.count += 1
        self.recent += run.recent
        self.stale += run.stale
        self.unpriced_tokens += run.unpriced_tokens
        if self.leader is None or run.recent > self.leader.recent:
            self.leader = run
        for level, span_ms in time.items():
            self.time[level] += span_ms
        ranked = (run.cost, run.per_hour, -run.run_id, run)
        if self.keep is None or len(self._kept) < self.keep:
            heappush(self._kept, ranked)
        else:
            heappushpop(self._kept, ranked)

    def top(self) -> list[RunShare]:
        """Return the most expensive runs, the dearest first."""
        return [run for *_, run in sorted(self._kept, reverse=True)]

    def priced_percent(self) -> int:
        """Return how much of the run time had a price, in whole percent rounded down; 100 where there was none."""
        whole = sum(self.time.values())
        return (whole - self.time[Confidence.GAP]) * 100 // whole if whole else 100

    def is_low(self) -> bool:
        """Whether some of the run time was priced by an assumption."""
        return self.time[Confidence.LOW] > 0

    def note(self, now_ms: int) -> str:
        """Return what was assumed, at most two things; that prices are out of date comes first."""
        today = date.fromordinal(day_of("UTC", now_ms))
        oldest = min((rate.as_of for rate in self.rates if rate.as_of and is_old(rate, today)), default="")
        old = [f"prices of {oldest}"] if oldest else []
        priced = (rate for rate in self.rates if rate.confidence is not Confidence.GAP)
        notes = {part for rate in priced for part in rate.note.split("; ") if part}
        return "; ".join([*old, *sorted(notes)][:2])


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the ledger knows of a run, for people."""

    run_uuid: str
    name: str
    experiment_id: str
    source: str
    usage_set_id: int
    tag_set_id: int
    user: str


def run_facts(connection: Connection, run_ids: Iterable[int]) -> dict[int, RunFacts]:
    """Return what is known of runs, by the ledger's ids."""
    sql = (
        'SELECT r.id, r.run_uuid, r.name, r.experiment_id, s.name, r.usage_set_id, r.tag_set_id, r."user" '
        "FROM run r JOIN source s ON s.id = r.source_id WHERE r.id IN {values}"
    )
    return {row[0]: RunFacts(*row[1:]) for row in select_in(connection, sql, list(run_ids))}
