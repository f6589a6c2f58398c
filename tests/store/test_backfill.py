"""A budget that comes later: what the database adds up is what the charges give one by one, to the nano."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime

import pytest

from alerter.core.budgets import Budget, TagCleaning
from alerter.core.charges import TOTAL, Rate
from alerter.core.periods import DAY_MS, PeriodKind, PeriodSpec, day_of
from alerter.core.usage import Meter
from alerter.store import ledger
from alerter.store.backfill import recompute, stretches
from alerter.store.budgets import sync_budgets
from alerter.store.bulk import query
from alerter.store.engine import Store
from alerter.store.interning import Interner
from alerter.store.ledger import METER_CODES, Charge
from alerter.store.totals import Attribution, cost_to, daily_parts
from tests.fixtures.store import bare_runs

ZONES = ("UTC", "Australia/Lord_Howe", "Asia/Kathmandu", "Europe/Berlin", "America/Santiago", "Pacific/Apia")
RATES = (
    Rate(Meter.MACHINE, "0.1234567891", "0.1234567891", "node-hour", "USD", "a rule"),
    Rate(Meter.GPU, "3.3333333333", "4", "gpu-hour", "USD", "a rule"),
    Rate(Meter.TOKENS, "1", "1", TOTAL, "USD", "a rule"),
)
CHANGES = [
    int(datetime.fromisoformat(f"{when}+00:00").timestamp()) * 1000
    for when in (
        "2011-12-30T10:00",
        "2026-03-29T01:00",
        "2026-04-04T15:00",
        "2026-04-05T03:00",
        "2026-09-06T04:00",
        "2026-10-25T01:00",
    )
]
"""Apia leaves a day out; Berlin, Lord Howe and Santiago change their clocks."""


def budget(zone: str, components: tuple[str, ...] = ()) -> Budget:
    name = f"{zone} {components}"
    daily = PeriodSpec(PeriodKind.DAILY)
    return Budget(
        id=name,
        name=name,
        currency="USD",
        timezone=zone,
        period=daily,
        amounts=(),
        group_by=("team",),
        components=components,
    )


def made_up(rng: random.Random, rates: dict[Rate, int], tag_sets: list[int]) -> Iterator[Charge]:
    for run_id in range(1, 400):
        rate = rng.choice(RATES)
        start = rng.choice(CHANGES) + rng.randrange(-3 * DAY_MS, 3 * DAY_MS)
        end = start + rng.choice((0, 1, rng.randrange(DAY_MS), rng.randrange(5 * DAY_MS)))
        if rate.pricing_unit == TOTAL:
            end = max(end, start + 1)
        quantity = rng.choice((1, 1_000_000, 7_777_777))
        cost = cost_to(rate, quantity, (start, end), end)
        place = (run_id, METER_CODES[rate.meter], start)
        content = (end, rng.choice(tag_sets), rates[rate])
        yield Charge(*place, 0, *content, quantity, cost)
        if rng.random() < 0.2:
            yield Charge(*place, 1, *content, -quantity, -cost)


def test_the_databases_sums_are_the_charges_own(store: Store) -> None:
    rng, interner = random.Random(11), Interner()  # noqa: S311 - the same charges every time
    budgets = [budget(zone) for zone in ZONES] + [budget("Europe/Berlin", ("machines",))]
    with store.write() as connection:
        pairs = [(("project", str(number)), ("team", f"t{number % 3}")) for number in range(9)]
        tag_sets = list(interner.tag_sets.ids(connection, pairs).values())
        rates = interner.rates.ids(connection, RATES)
        (usage,) = interner.usage_sets.ids(connection, [()]).values()
        bare_runs(connection, [""] * 399, tag_sets[0], usage)
        ledger.add_charges(connection, list(made_up(rng, rates, tag_sets)))
        ids = sync_budgets(connection, budgets, TagCleaning(), interner, 0)
        attribution = Attribution([(ids[each.id], each) for each in budgets], TagCleaning(), interner)
        shares = attribution.shares(connection, tag_sets)
        by_id = interner.rates.all(connection)
        expected = daily_parts(ledger.all_charges(connection), shares, by_id)
        assert {key: nanos for key, nanos in recompute(connection, attribution, interner).items() if nanos} == {
            key: nanos for key, nanos in expected.items() if nanos
        }
        stored = query(connection, "SELECT budget_id, scope_id, local_day, nanos FROM daily").fetchall()
        assert {(a, b, c): d for a, b, c, d in stored} == {key: nanos for key, nanos in expected.items() if nanos}
        assert len(expected) > 500


@pytest.mark.parametrize("zone", ZONES)
def test_stretches_give_every_instant_its_local_day(zone: str) -> None:
    for change in CHANGES:
        found = stretches(zone, change - 40 * DAY_MS, change + 40 * DAY_MS)
        for at_ms in range(change - 3 * DAY_MS, change + 3 * DAY_MS, 7 * 60_000):
            first, start, end = next(each for each in found if each[1] <= at_ms < each[2])
            whole = (end - start) % DAY_MS == 0
            assert first + (at_ms - start) // DAY_MS * whole == day_of(zone, at_ms)


def test_without_charges_there_is_nothing_to_add_up(store: Store) -> None:
    with store.read() as connection:
        interner = Interner()
        assert recompute(connection, Attribution((), TagCleaning(), interner), interner) == {}
