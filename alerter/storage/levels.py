"""How many bytes are held under each experiment's tag set, and what they cost: a charge for each UTC day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from alerter.core.budgets import TagCleaning
from alerter.core.charges import ChargeLine, Rate
from alerter.core.periods import DAY_MS
from alerter.core.price_rules import PriceRules
from alerter.core.storage import micro_gib, price_storage, utc_days
from alerter.core.usage import Meter, Pairs, StoredBytes
from alerter.store import ledger, run_rows
from alerter.store.carriers import STORAGE, add_carriers, carrier_id
from alerter.store.holdings import Level, Place, levels, levels_of, put_levels
from alerter.store.interning import Interner
from alerter.store.ledger import METER_CODES, Charge
from alerter.store.sources import SourceState
from alerter.store.totals import Attribution

ALWAYS_KEPT = frozenset({"experiment", "experiment_id", "source", "workspace"})
"""Tags that bytes are always told apart by, beside those that budgets and prices name."""

MAX_NAME = 250

_STORAGE = METER_CODES[Meter.STORAGE]


@dataclass(frozen=True, slots=True)
class _Carrier:
    """Whose bytes: of one experiment, under those of the tags that matter."""

    experiment_id: str
    tags: Pairs

    @property
    def id(self) -> str:
        return carrier_id(STORAGE, "", self.experiment_id, self.tags)

    @property
    def name(self) -> str:
        experiment = dict(self.tags).get("experiment") or self.experiment_id
        own = ", ".join(f"{key} {value}" for key, value in self.tags if key not in ALWAYS_KEPT)
        return f"Storage of {experiment}{f' ({own})' if own else ''}"[:MAX_NAME]


_Next = tuple[int, int, Rate] | None
"""``(since_ms, bytes, rate)`` of what goes on; None where nothing does."""


class Levels:
    """The bytes held under each tag set of one ledger, under one configuration.

    Bytes are told apart only by the tags that budgets and prices name: runs may have tags that no other run has, and
    each tag set costs a row a day.

    Args:
        interner, attribution: of the ledger that is written.
        rules: ``prices.yaml``.
        cleaning: how tags are cleaned before prices match them.
        keys: the tags that budgets name.
    """

    def __init__(
        self,
        interner: Interner,
        attribution: Attribution,
        rules: PriceRules,
        cleaning: TagCleaning,
        keys: frozenset[str],
    ) -> None:
        self._interner = interner
        self._attribution = attribution
        self._rules = rules
        self._cleaning = cleaning
        self._keys = keys | rules.tag_keys | ALWAYS_KEPT

    def set(self, connection: Connection, source: SourceState, held: Mapping[Place, int], now_ms: int) -> None:
        """Bring every level of a source to what is held, at today's prices."""
        before = levels(connection, source.id)
        sums = self._sums(connection, source.id, held, now_ms)
        self._write(connection, source, before, dict.fromkeys(before, 0) | sums, now_ms)

    def change(self, connection: Connection, source: SourceState, changes: Mapping[Place, int], now_ms: int) -> None:
        """Add to what is held, in bytes, from now on; what is taken away is negative."""
        changed = {place: size for place, size in changes.items() if size}
        if changed:
            sums = self._sums(connection, source.id, changed, now_ms)
            before = levels_of(connection, list(sums))
            after = {run_id: size + (before[run_id].size if run_id in before else 0) for run_id, size in sums.items()}
            self._write(connection, source, before, after, now_ms)

    def charge(self, connection: Connection, source: SourceState, now_ms: int) -> None:
        """Charge what was held up to an instant, and go on from there."""
        before = {key: level for key, level in levels(connection, source.id).items() if level.since_ms < now_ms}
        self._write(connection, source, before, {run_id: level.size for run_id, level in before.items()}, now_ms)

    def _sums(self, connection: Connection, source_id: int, held: Mapping[Place, int], now_ms: int) -> dict[int, int]:
        """Return bytes by the row that carries their charges."""
        tags = self._interner.tag_sets.values(connection, {tag_set_id for _, tag_set_id in held})
        sums: Counter[_Carrier] = Counter()
        for (experiment_id, tag_set_id), size in held.items():
            kept = tuple(pair for pair in tags[tag_set_id] if pair[0] in self._keys)
            sums[_Carrier(experiment_id, kept)] += size
        ids = self._carriers(connection, source_id, list(sums), now_ms)
        return {ids[carrier]: size for carrier, size in sums.items()}

    def _carriers(
        self, connection: Connection, source_id: int, wanted: Sequence[_Carrier], now_ms: int
    ) -> dict[_Carrier, int]:
        known = run_rows.stored_runs(connection, source_id, [each.id for each in wanted])
        tag_ids = self._interner.tag_sets.ids(connection, {each.tags for each in wanted})
        ids = {each: known[each.id].id for each in wanted if each.id in known}
        fresh = [each for each in wanted if each not in ids]
        if fresh:
            (usage_id,) = self._interner.usage_sets.ids(connection, {()}).values()
            ids |= {each: row_id for row_id, each in enumerate(fresh, run_rows.next_run_id(connection))}
            rows = [
                (ids[each], each.id, each.experiment_id, each.name, now_ms, tag_ids[each.tags], usage_id)
                for each in fresh
            ]
            add_carriers(connection, source_id, STORAGE, rows)
        return ids

    def _write(
        self,
        connection: Connection,
        source: SourceState,
        before: Mapping[int, Level],
        after: Mapping[int, int],
        now_ms: int,
    ) -> None:
        """Charge levels up to now and let another size go on; one that goes on as it was, on the same day, is left."""
        places = {row.id: row.tag_set_id for row in run_rows.stored_by_id(connection, list(after))}
        tags = self._interner.tag_sets.values(connection, set(places.values()))
        rates = self._interner.rates.values(connection, {level.rate_id for level in before.values()})
        charged: list[tuple[int, ChargeLine]] = []
        following: dict[int, _Next] = {}
        for run_id, size in after.items():
            level, cleaned = before.get(run_id), self._cleaning.clean_all(tags[places[run_id]])
            at_ms = now_ms if level is None else max(now_ms, level.since_ms)
            rate = self._rate(StoredBytes(size, at_ms, at_ms + 1), cleaned)
            if level is not None:
                old = rates[level.rate_id]
                if (size, rate, at_ms // DAY_MS) == (level.size, old, level.since_ms // DAY_MS):
                    continue
                held = StoredBytes(level.size, level.since_ms, at_ms)
                charged += [(run_id, line) for line in self._held(held, old, cleaned, source.complete_ms or 0)]
            following[run_id] = None if rate is None else (at_ms, size, rate)
        self._record(connection, charged, places, following)

    def _rate(self, held: StoredBytes, tags: Mapping[str, str]) -> Rate | None:
        return next((line.rate for line in price_storage(held, tags, self._rules)), None)

    def _held(self, held: StoredBytes, rate: Rate, tags: Mapping[str, str], last_seen_ms: int) -> Iterator[ChargeLine]:
        """Yield the lines of what was held; where its price was edited since, the old one holds up to the last poll."""
        since = held.start_ms
        if self._rate(held, tags) != rate:
            since = min(max(last_seen_ms, since), held.end_ms)
            quantity = micro_gib(held.size)
            yield from (ChargeLine(rate, quantity, *day) for day in utc_days(held.start_ms, since))
        yield from price_storage(replace(held, start_ms=since), tags, self._rules)

    def _record(
        self,
        connection: Connection,
        charged: Sequence[tuple[int, ChargeLine]],
        places: Mapping[int, int],
        following: Mapping[int, _Next],
    ) -> None:
        going_on = {run_id: each for run_id, each in following.items() if each is not None}
        wanted = {line.rate for _, line in charged} | {rate for _, _, rate in going_on.values()}
        rate_ids = self._interner.rates.ids(connection, wanted)
        charges = [
            Charge(
                run_id,
                _STORAGE,
                line.start_ms,
                0,
                line.end_ms,
                places[run_id],
                rate_ids[line.rate],
                line.quantity,
                line.cost_nanos,
            )
            for run_id, line in charged
        ]
        ledger.add_charges(connection, charges)
        # Those without a charge too: a reader finds every scope there and needn't write.
        rates = {row_id: rate for rate, row_id in rate_ids.items()}
        self._attribution.count(connection, charges, {places[run_id] for run_id in following}, rates)
        levels_now: dict[int, Level | None] = dict.fromkeys(following)
        for run_id, (since_ms, size, rate) in going_on.items():
            levels_now[run_id] = Level(run_id, since_ms, size, rate_ids[rate])
        put_levels(connection, levels_now)
