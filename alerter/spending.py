"""What each scope has spent: settled daily totals, plus what runs accrue."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from alerter.core.charges import Rate, burn, cost_between
from alerter.core.forecast import Trend
from alerter.core.periods import Period, bounds_ms, day_of, midnight_ms
from alerter.core.storage import micro_gib
from alerter.core.usage import NOT_RUNS
from alerter.store.bulk import query, select_in
from alerter.store.holdings import all_levels
from alerter.store.ledger import all_open
from alerter.store.totals import Share, View

RECENT_DAYS = 8
"""Today and the seven local days before it: what a forecast is made from."""


@dataclass(frozen=True, slots=True)
class Accruing:
    """A run that accrues: its rates and quantities since ``start_ms``, counted up to ``as_of_ms``.

    ``known_ms`` is the source's last complete poll: later than ``as_of_ms`` where the run is suspected stale.
    """

    run_id: int
    start_ms: int
    as_of_ms: int
    tag_set_id: int
    lines: tuple[tuple[Rate, int], ...]
    known_ms: int = 0

    @property
    def is_run(self) -> bool:
        """Whether it is a run, and not bytes that are held."""
        return any(rate.meter not in NOT_RUNS for rate, _ in self.lines)

    def counts(self, share: Share) -> bool:
        """Whether a scope counts any of its lines."""
        return any(share.counts(rate.meter) for rate, _ in self.lines)

    @property
    def stale_ms(self) -> int:
        """The time that is suspected stale, and not counted."""
        return max(self.known_ms - self.as_of_ms, 0)

    def stale_nanos(self, since_ms: int, until_ms: int, share: Share | None = None) -> int:
        """Return what the time would cost within ``[since, until)`` that is suspected stale."""
        since, until = max(since_ms, self.as_of_ms), min(until_ms, self.known_ms)
        if since >= until:
            return 0
        whole = (self.start_ms, self.known_ms)
        return sum(
            cost_between(rate, quantity, whole, (since, until))
            for rate, quantity in self.lines
            if share is None or share.counts(rate.meter)
        )

    def nanos(self, since_ms: int, until_ms: int, share: Share | None = None) -> int:
        """Return what it cost within ``[since, until)``, as one scope counts it."""
        until = min(until_ms, self.as_of_ms)
        since = min(since_ms, until)
        return sum(
            cost_between(rate, quantity, (self.start_ms, self.as_of_ms), (since, until))
            for rate, quantity in self.lines
            if share is None or share.counts(rate.meter)
        )

    def per_hour(self, share: Share | None = None) -> int:
        """Return its burn in nanos an hour, as one scope counts it; none while it is suspected stale."""
        if self.stale_ms:
            return 0
        return sum(
            burn(rate, quantity, (self.start_ms, self.as_of_ms))
            for rate, quantity in self.lines
            if share is None or share.counts(rate.meter)
        )


@dataclass(slots=True)
class Spend:
    """One scope's spending in one period, in nanos; ``recent`` is by local day, ``suspected`` stale isn't spent."""

    settled: int = 0
    accruing: int = 0
    per_hour: int = 0
    suspected: int = 0
    recent: dict[int, int] = field(default_factory=dict)

    @property
    def spent(self) -> int:
        """All of it."""
        return self.settled + self.accruing

    def trend(self, zone: str, now_ms: int) -> Trend:
        """Return what a forecast needs: today so far and the seven local days before it, spent in or not."""
        first, today = recent_days(zone, now_ms)
        days = tuple(self.recent.get(day, 0) for day in range(first, today + 1))
        return Trend(self.spent, self.per_hour, days, recent_ms(zone, now_ms))


def recent_days(zone: str, now_ms: int) -> tuple[int, int]:
    """Return the first and the last of the recent local days: the last is today."""
    today = day_of(zone, now_ms)
    return today - RECENT_DAYS + 1, today


def recent_ms(zone: str, now_ms: int) -> int:
    """Return the time that the recent days cover, up to now."""
    return now_ms - midnight_ms(zone, recent_days(zone, now_ms)[0])


def accruals(view: View, now_ms: int) -> list[Accruing]:
    """Return every run that accrues, known up to its source's last complete poll (or ``now``, if earlier).

    So do the bytes that are held: under a row of their own for each experiment and tag set.
    """
    opened = all_open(view.connection)
    rates = view.interner.rates.values(view.connection, {rate_id for each, _ in opened for rate_id, _ in each.plan})
    return [
        Accruing(
            each.run_id,
            each.start_ms,
            min(now_ms, complete_ms, complete_ms if each.until_ms is None else each.until_ms),
            each.tag_set_id,
            tuple((rates[rate_id], quantity) for rate_id, quantity in each.plan),
            min(now_ms, complete_ms) if each.until_ms is not None else 0,
        )
        for each, complete_ms in opened
    ] + _held(view, now_ms)


def _held(view: View, now_ms: int) -> list[Accruing]:
    levels = all_levels(view.connection)
    rates = view.interner.rates.values(view.connection, {level.rate_id for level, _, _ in levels})
    return [
        Accruing(
            level.run_id,
            level.since_ms,
            max(min(now_ms, complete_ms), level.since_ms),
            tag_set_id,
            ((rates[level.rate_id], micro_gib(level.size)),),
        )
        for level, tag_set_id, complete_ms in levels
    ]


_SETTLED = (  # each scope's days by the primary key: what a budget spent in years is not walked over
    "FROM scope s CROSS JOIN daily d "
    "WHERE s.budget_id = ? AND d.budget_id = s.budget_id AND d.scope_id = s.id AND d.local_day BETWEEN ? AND ? "
)


def settled(view: View, budget_id: int, period: Period, now_ms: int) -> Iterator[tuple[int, int, int]]:
    """Yield ``(scope id, nanos in a period, nanos on the recent days)`` of the scopes that have any settled."""
    first, last = period.start.toordinal(), period.end.toordinal() - 1
    since, today = recent_days(view.budgets[budget_id].timezone, now_ms)
    sums = ", ".join("SUM(CASE WHEN d.local_day BETWEEN ? AND ? THEN d.nanos ELSE 0 END)" for _ in range(2))
    sql = f"SELECT d.scope_id, {sums} {_SETTLED} GROUP BY d.scope_id"
    within = min(first, since), max(last, today)
    for scope_id, spent, recent in query(view.connection, sql, first, last, since, today, budget_id, *within):
        yield scope_id, int(spent), int(recent)


def spending(
    view: View,
    budget_id: int,
    period: Period,
    accruing: Iterable[tuple[Accruing, Share]],
    now_ms: int,
    *,
    scope_ids: Collection[int] | None = None,
) -> dict[int, Spend]:
    """Return the spending of each scope of a budget in a period, by scope id.

    ``accruing`` are the running runs with the share that counts them for this budget. ``scope_ids`` are the only scopes
    that are asked for, if given; they must include those of ``accruing``.
    """
    connection, zone = view.connection, view.budgets[budget_id].timezone
    spends: dict[int, Spend] = defaultdict(Spend)
    recent_from, today = recent_days(zone, now_ms)
    given = budget_id, period.start.toordinal(), period.end.toordinal() - 1
    total = f"SELECT d.scope_id, SUM(d.nanos) {_SETTLED} {{}} GROUP BY d.scope_id"
    for scope_id, nanos in _of(connection, total, scope_ids, given):
        spends[scope_id].settled = int(nanos)
    recent = f"SELECT d.scope_id, d.local_day, d.nanos {_SETTLED} {{}}"
    for scope_id, day, nanos in _of(connection, recent, scope_ids, (budget_id, recent_from, today)):
        spends[scope_id].recent[day] = nanos
    start_ms, end_ms = bounds_ms(period, zone)
    for run, share in accruing:
        spend = spends[share.scope_id]
        spend.accruing += run.nanos(start_ms, end_ms, share)
        spend.per_hour += run.per_hour(share)
        spend.suspected += run.stale_nanos(start_ms, end_ms, share)
        for day in range(max(recent_from, day_of(zone, run.start_ms)), today + 1):
            nanos = run.nanos(midnight_ms(zone, day), midnight_ms(zone, day + 1), share)
            spend.recent[day] = spend.recent.get(day, 0) + nanos
    return spends


def _of(
    connection: Connection, sql: str, scope_ids: Collection[int] | None, given: tuple[int, ...]
) -> Iterable[tuple[int, ...]]:
    """Return a query's rows; only of some scopes, if they are given: their condition goes where ``{}`` is."""
    if scope_ids is None:
        return query(connection, sql.format(""), *given)  # type: ignore[no-any-return]
    return select_in(connection, sql.format("AND s.id IN {values}"), sorted(scope_ids), *given)


def by_budget(view: View, runs: Sequence[Accruing]) -> Mapping[int, list[tuple[Accruing, Share]]]:
    """Return the running runs that each budget counts."""
    shares = view.shares({run.tag_set_id for run in runs})
    found: dict[int, list[tuple[Accruing, Share]]] = defaultdict(list)
    for run in runs:
        for share in shares[run.tag_set_id]:
            if run.counts(share):
                found[share.budget_id].append((run, share))
    return found


def daily_spending(view: View, runs: Sequence[Accruing], first: int, end: int) -> dict[tuple[int, int], dict[int, int]]:
    """Return what was spent on each local day of ``[first, end)``, by (budget id, scope id) and then day ordinal.

    Days are local to each budget; what the given ``runs`` accrue counts.
    """
    found: dict[tuple[int, int], dict[int, int]] = defaultdict(dict)
    for budget_id in view.budgets:
        rows = query(view.connection, f"SELECT d.scope_id, d.local_day, d.nanos {_SETTLED}", budget_id, first, end - 1)
        for scope_id, day, nanos in rows:
            found[budget_id, scope_id][day] = nanos
    for budget_id, counted in by_budget(view, runs).items():
        zone = view.budgets[budget_id].timezone
        for run, share in counted:
            days = found[budget_id, share.scope_id]
            for day in range(max(first, day_of(zone, run.start_ms)), min(end, day_of(zone, run.as_of_ms) + 1)):
                nanos = run.nanos(midnight_ms(zone, day), midnight_ms(zone, day + 1), share)
                days[day] = days.get(day, 0) + nanos
    return found
