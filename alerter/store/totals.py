"""The daily totals: which scopes a charge counts for, on which of their local days, and how much."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from sqlalchemy import Connection

from alerter.core.budgets import Budget, Scope, TagCleaning, scope_of
from alerter.core.charges import Rate, cost_until
from alerter.core.periods import day_edges, day_of, midnight_ms
from alerter.core.usage import COMPONENTS, Meter, Pairs
from alerter.store.bulk import insert_rows, query, select_in
from alerter.store.interning import Interner
from alerter.store.ledger import METERS, ChargeValues

DailyKey = tuple[int, int, int]
"""(budget id, scope id, local day)."""


@dataclass(frozen=True, slots=True)
class Share:
    """One scope that a tag set counts for. ``meters`` is None for all."""

    budget_id: int
    scope_id: int
    zone: str
    meters: frozenset[Meter] | None

    def counts(self, meter: Meter) -> bool:
        """Whether the budget's components include a meter."""
        return self.meters is None or meter in self.meters


_Match = tuple[int, Scope, str, frozenset[Meter] | None]
"""A scope of a budget (by its row id), with the budget's zone and meters."""

_NO_DAY = (0, 0, 0)
_AT_ONCE = 500
"""Tag sets that are matched together: a million of them don't come into memory."""


class Watch:
    """Which scopes of each budget an evaluation looks at, once it has looked at all of them.

    Those are the ones that concerned it then, and those whose totals have changed since.
    """

    def __init__(self) -> None:
        self._looks: dict[int, tuple[object, set[int]]] = {}

    def scopes(self, budget_id: int, occasion: object) -> set[int] | None:
        """Return the scopes to look at; None where all are, as they weren't on this occasion."""
        before, scope_ids = self._looks.get(budget_id, (None, set()))
        return set(scope_ids) if before == occasion else None

    def looked(self, budget_id: int, occasion: object, scope_ids: Iterable[int]) -> None:
        """Note that all scopes were looked at, and which concern an evaluation."""
        self._looks[budget_id] = occasion, set(scope_ids)

    def changed(self, keys: Iterable[DailyKey]) -> None:
        """Note whose totals change."""
        if self._looks:
            for budget_id, scope_id, _ in keys:
                if budget_id in self._looks:
                    self._looks[budget_id][1].add(scope_id)

    def forget(self) -> None:
        """Let all be looked at."""
        self._looks.clear()


class Attribution:
    """Which scopes each tag set counts for, under the budgets of one configuration.

    With ``adds`` a scope that is seen for the first time gets its row; without, as readers have it, it is left out.
    """

    def __init__(
        self, budgets: Iterable[tuple[int, Budget]], cleaning: TagCleaning, interner: Interner, *, adds: bool = True
    ) -> None:
        self._adds = adds
        self._budgets = [(row_id, budget, _meters(budget)) for row_id, budget in budgets]
        self._cleaning = cleaning
        self._interner = interner
        self._shares: dict[int, tuple[Share, ...]] = {}
        self._scope_ids: dict[tuple[int, Scope], int] = {}
        self.watch = Watch()

    def count(
        self,
        connection: Connection,
        charges: Sequence[ChargeValues],
        tag_set_ids: Iterable[int],
        rates: dict[int, Rate],
    ) -> None:
        """Add charges to the totals of the scopes of their tag sets; ``tag_set_ids`` are those, at least."""
        parts = daily_parts(charges, self.shares(connection, tag_set_ids), rates)
        add_daily(connection, parts)
        self.watch.changed(parts)

    def shares(self, connection: Connection, tag_set_ids: Iterable[int]) -> dict[int, tuple[Share, ...]]:
        """Return the scopes of each tag set."""
        wanted = set(tag_set_ids)
        for remembered in (self._shares, self._scope_ids):
            if len(remembered) >= self._interner.remembers:
                remembered.clear()
        found = {each: self._shares[each] for each in wanted if each in self._shares}
        missing = sorted(wanted - found.keys())
        for at in range(0, len(missing), _AT_ONCE):
            found |= self._learn(connection, missing[at : at + _AT_ONCE])
        return found

    def forget(self) -> None:
        """Drop what is remembered, after a rollback."""
        self._shares.clear()
        self._scope_ids.clear()
        self.watch.forget()

    def _learn(self, connection: Connection, tag_set_ids: Sequence[int]) -> dict[int, tuple[Share, ...]]:
        """Return the scopes of some tag sets, and remember them where each has its row."""
        tag_sets = self._interner.tag_sets.values(connection, tag_set_ids)
        matches = {each: self._match(tags) for each, tags in tag_sets.items()}
        unknown: dict[int, set[Scope]] = {}
        for budget_id, scope, _, _ in chain.from_iterable(matches.values()):
            if (budget_id, scope) not in self._scope_ids:
                unknown.setdefault(budget_id, set()).add(scope)
        for budget_id, scopes in unknown.items():
            rows = (scope_rows if self._adds else find_scopes)(connection, budget_id, scopes)
            self._scope_ids |= {(budget_id, scope): scope_id for scope, scope_id in rows.items()}
        found = {}
        for tag_set_id, match in matches.items():
            shares = tuple(
                Share(budget_id, self._scope_ids[budget_id, scope], zone, meters)
                for budget_id, scope, zone, meters in match
                if (budget_id, scope) in self._scope_ids
            )
            found[tag_set_id] = shares
            if len(shares) == len(match):
                self._shares[tag_set_id] = shares
        return found

    def _match(self, tags: Pairs) -> list[_Match]:
        cleaned = self._cleaning.clean_all(tags)
        return [
            (budget_id, scope, budget.timezone, meters)
            for budget_id, budget, meters in self._budgets
            if (scope := scope_of(budget, cleaned)) is not None
        ]


def find_scopes(connection: Connection, budget_id: int, scopes: Iterable[Scope]) -> dict[Scope, int]:
    """Return the id of each scope's row; without those that have none yet."""
    by_key = {_scope_key(scope): scope for scope in scopes}
    sql = "SELECT id, key FROM scope WHERE budget_id = ? AND key IN {values}"
    return {by_key[row.key]: row.id for row in select_in(connection, sql, sorted(by_key), budget_id)}


def scope_rows(connection: Connection, budget_id: int, scopes: Collection[Scope]) -> dict[Scope, int]:
    """Return the id of each scope's row, made if it is new."""
    found = find_scopes(connection, budget_id, scopes)
    if fresh := [scope for scope in scopes if scope not in found]:
        rows = [(budget_id, key) for key in sorted(map(_scope_key, fresh))]
        insert_rows(connection, "INSERT INTO scope (budget_id, key) VALUES (?, ?)", rows)
        found |= find_scopes(connection, budget_id, fresh)
    return found


def _scope_key(scope: Scope) -> str:
    return json.dumps(scope, ensure_ascii=False, separators=(",", ":"))


def daily_parts(
    charges: Iterable[ChargeValues], shares: dict[int, tuple[Share, ...]], rates: dict[int, Rate]
) -> dict[DailyKey, int]:
    """Return what charges add to each daily total.

    Parts of a charge are differences of its cumulative cost at local midnights, so they sum to its cost.
    """
    sums: dict[tuple[int, int], dict[str, dict[int, int]]] = {}
    latest: dict[str, tuple[int, int, int]] = {}
    for charge in charges:
        _, meter, start_ms, _, end_ms, tag_set_id, rate_id, _, cost, _ = charge
        if cost == 0:
            continue
        by_zone = sums.get((tag_set_id, meter))
        if by_zone is None:
            zones = {share.zone for share in shares[tag_set_id] if share.counts(METERS[meter])}
            by_zone = sums[tag_set_id, meter] = {zone: {} for zone in zones}
        for zone, days in by_zone.items():
            first_ms, last_ms, day = latest.get(zone, _NO_DAY)
            if first_ms <= start_ms and end_ms <= last_ms:  # most are on the day of the one before
                days[day] = days.get(day, 0) + cost
                continue
            for day, nanos in split(charge, rates[rate_id], zone):
                days[day] = days.get(day, 0) + nanos
            latest[zone] = midnight_ms(zone, day), midnight_ms(zone, day + 1), day
    return _by_scope(sums, shares)


def _by_scope(
    sums: Mapping[tuple[int, int], Mapping[str, Mapping[int, int]]], shares: Mapping[int, tuple[Share, ...]]
) -> dict[DailyKey, int]:
    """Return what scopes get of the sums of each (tag set, meter), by zone and local day."""
    parts: dict[DailyKey, int] = {}
    for (tag_set_id, meter), by_zone in sums.items():
        for share in shares[tag_set_id]:
            if share.counts(METERS[meter]):
                for day, nanos in by_zone[share.zone].items():
                    key = (share.budget_id, share.scope_id, day)
                    parts[key] = parts.get(key, 0) + nanos
    return parts


def split(charge: ChargeValues, rate: Rate, zone: str) -> list[tuple[int, int]]:
    """Return ``(local day, nanos)`` of a charge; the nanos sum to its cost."""
    _, _, start_ms, _, end_ms, _, _, quantity, cost, _ = charge
    day = day_of(zone, start_ms)
    if end_ms <= midnight_ms(zone, day + 1):  # nearly every one of a short run
        return [(day, cost)]
    *edges, (last_day, _) = day_edges(zone, start_ms, end_ms)
    before, found = 0, []
    for day, until in edges:
        nanos = cost_to(rate, quantity, (start_ms, end_ms), until)
        found.append((day, nanos - before))
        before = nanos
    return [*found, (last_day, cost - before)]


def cost_to(rate: Rate, quantity: int, charge: tuple[int, int], until_ms: int) -> int:
    """Return the nanos of a charge over ``[start, end)`` up to an instant; negative for a reversal."""
    if quantity < 0:
        return -cost_until(rate, -quantity, charge, until_ms)
    return cost_until(rate, quantity, charge, until_ms)


def add_daily(connection: Connection, parts: dict[DailyKey, int]) -> None:
    """Add to the daily totals."""
    insert_rows(
        connection,
        "INSERT INTO daily (budget_id, scope_id, local_day, nanos) VALUES (?,?,?,?) "
        "ON CONFLICT (budget_id, scope_id, local_day) DO UPDATE SET nanos = daily.nanos + excluded.nanos",
        [(*key, nanos) for key, nanos in parts.items() if nanos],
    )


@dataclass(frozen=True, slots=True)
class View:
    """One state of the ledger under one configuration: all that a reader needs. ``budgets`` is by row id."""

    connection: Connection
    budgets: Mapping[int, Budget]
    interner: Interner
    attribution: Attribution

    def scope(self, budget_id: int, scope_id: int) -> Scope:
        """Return the tag values that a scope stands for."""
        key = query(self.connection, "SELECT key FROM scope WHERE id = ? AND budget_id = ?", scope_id, budget_id)
        return tuple((name, value) for name, value in json.loads(key.scalar_one()))

    def all_rates(self) -> dict[int, Rate]:
        """Return every rate by its id."""
        return self.interner.rates.all(self.connection)

    def all_shares(self) -> dict[int, tuple[Share, ...]]:
        """Return the scopes that each tag set counts for."""
        return self.attribution.shares(self.connection, self.interner.tag_sets.all(self.connection))

    def shares(self, tag_set_ids: Iterable[int]) -> dict[int, tuple[Share, ...]]:
        """Return the scopes that some tag sets count for."""
        return self.attribution.shares(self.connection, tag_set_ids)


def _meters(budget: Budget) -> frozenset[Meter] | None:
    if not budget.components:
        return None
    return frozenset().union(*(COMPONENTS[each] for each in budget.components))
