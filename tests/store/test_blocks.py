"""What touches a time is found, once, without a look at what doesn't: however runs came, and whatever they are."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import groupby

import pytest

from alerter.core.charges import Rate
from alerter.core.periods import DAY_MS, HOUR_MS
from alerter.core.usage import Meter
from alerter.store import ledger
from alerter.store.audit import charges_in, count_runs, sorts_in, standing_tags
from alerter.store.blocks import out_of_reach, places
from alerter.store.bulk import query
from alerter.store.engine import Store
from alerter.store.interning import Interner
from alerter.store.ledger import METER_CODES, Charge
from tests.fixtures.store import bare_runs

DAYS = 40
RUNS = 6_000
TOKENS, MACHINE = METER_CODES[Meter.TOKENS], METER_CODES[Meter.MACHINE]
WINDOWS = [(0, DAYS * DAY_MS), (12 * DAY_MS, 13 * DAY_MS), (39 * DAY_MS, 40 * DAY_MS), (90 * DAY_MS, 91 * DAY_MS)]


@pytest.fixture
def charges(store: Store) -> list[Charge]:
    """A ledger of runs in the order of their starts, some of which came late, went on for long, or are no runs."""
    rng, interner = random.Random(5), Interner()  # noqa: S311 - the same charges every time
    with store.write() as connection:
        tags = interner.tag_sets.ids(connection, [(("team", str(each)),) for each in range(700)]).values()
        (usage,) = interner.usage_sets.ids(connection, [()]).values()
        (rate,) = interner.rates.ids(connection, [Rate(Meter.MACHINE, "1", "1", "node-hour", "USD", "a rule")]).values()
        bare_runs(connection, [kind_of(each) for each in range(1, RUNS)], next(iter(tags)), usage)
        made = list(made_up(rng, list(tags), rate))
        rng.shuffle(made)
        for at in range(0, len(made), 777):
            ledger.add_charges(connection, made[at : at + 777])
    return made


def kind_of(run_id: int) -> str:
    return "TOKENS" if run_id % 1500 == 7 else "FINISHED"


def made_up(rng: random.Random, tags: list[int], rate: int) -> Iterator[Charge]:
    for run_id in range(1, RUNS):
        if kind_of(run_id) == "TOKENS":
            for start in range(0, DAYS * DAY_MS, 6 * HOUR_MS):
                yield Charge(run_id, TOKENS, start, 0, start + HOUR_MS // 4, run_id % 5 + 1, rate, 1, 1)
            continue
        start = run_id * DAYS * DAY_MS // RUNS
        end = start + HOUR_MS
        if run_id % 997 == 0:
            start = rng.randrange(DAYS * DAY_MS)  # it came late
        elif run_id % 613 == 0:
            end = start + 20 * DAY_MS  # it went on for long
        row = (run_id, MACHINE, start), (max(end, start), rng.choice(tags), rate)
        yield Charge(*row[0], 0, *row[1], 1_000_000, 1_000)
        if run_id % 50 == 0:  # other tags
            yield Charge(*row[0], 1, *row[1], -1_000_000, -1_000)
            yield Charge(*row[0], 2, row[1][0], rng.choice(tags), rate, 1_000_000, 1_000)


@pytest.mark.parametrize("window", WINDOWS)
def test_places_hold_what_touches_a_time_once(store: Store, charges: list[Charge], window: tuple[int, int]) -> None:
    right = sorted(each for each in charges if each.end_ms > window[0] and each.start_ms < window[1])
    with store.read() as connection:
        assert out_of_reach(connection) == []
        found = list(ledger.charges_within(connection, *window))
        assert sorted(found) == right
        together = [run_id for run_id, _ in groupby(each.run_id for each in found)]
        assert len(together) == len(set(together))
        where = places(connection, *window)
        assert sorts_in(connection, where) == {(each.tag_set_id, each.rate_id) for each in right}
        for tags in (range(1, 4), range(1, 600)):  # few of them, which the database picks out, and many
            some = sorted(charges_in(connection, where, tags))
            assert some == [each for each in right if each.tag_set_id in tags]


@pytest.mark.parametrize("window", WINDOWS)
def test_runs_are_counted_by_what_stands(store: Store, charges: list[Charge], window: tuple[int, int]) -> None:
    standing: dict[tuple[int, int], int] = {}
    for each in charges:
        if each.end_ms > window[0] and each.start_ms < window[1] and each.meter != TOKENS:
            key = each.run_id, each.tag_set_id
            standing[key] = standing.get(key, 0) + (1 if each.quantity > 0 else -1)
    right = sorted(key for key, count in standing.items() if count > 0)
    with store.read() as connection:
        by_tags, others, _ = count_runs(connection, window, [TOKENS])
        pairs = list(standing_tags(connection, window, others, [TOKENS]))
    assert sorted(others) == sorted({run_id for run_id, _ in standing if run_id % 50 == 0 and run_id % 1500 != 7})
    for tag_set_id in range(1, 701):
        count = by_tags.get(tag_set_id, 0) + sum(each[1] == tag_set_id for each in pairs)
        assert count == sum(each[1] == tag_set_id for each in right)


def test_what_is_not_noted_is_told(store: Store, charges: list[Charge]) -> None:
    with store.write() as connection:
        query(connection, "UPDATE charge_block SET last_ms = last_ms - ? WHERE block = 3", DAY_MS)
        assert out_of_reach(connection)
        assert {each // 1000 for each in out_of_reach(connection)} == {3}
    assert charges
