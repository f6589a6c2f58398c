"""Whatever happens to runs and whenever polls come: every total is the oracle's, to the nano, and so is every alert."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from alerter.config import Config
from alerter.verify import verify_ledger
from tests.truth.comparing import alerts_of, check, check_evidence, ledger_totals, without_blanks
from tests.truth.ledgers import HOUR, House, config_of, house
from tests.truth.stories import STORIES
from tests.truth.truth import BUDGETS, FIRST_MS, M5, PRICES, Truth
from tests.truth.worlds import Steps, World, as_int, nested_and_shared_steps, nested_steps, shared_steps, steps


class Configs(list[Config]):
    """The configuration before and after a price was edited."""

    def __repr__(self) -> str:
        return "configs"  # hypothesis prints every argument


@pytest.fixture(scope="module")
def configs(tmp_path_factory: pytest.TempPathFactory) -> Configs:
    folder = tmp_path_factory.mktemp("configs")
    alerter = "metering: {nested: sum}\n"
    return Configs(config_of(folder / m5, BUDGETS, PRICES.format(m5=m5), alerter) for m5 in M5)


@pytest.fixture(scope="module")
def nesting(tmp_path_factory: pytest.TempPathFactory) -> Configs:
    """The same where nested runs are free over the time of the run above."""
    return Configs([config_of(tmp_path_factory.mktemp("nesting"), BUDGETS, PRICES.format(m5=M5[0]))])


def play(home: House, configs: Configs, happened: Steps, *, twice: bool = False, nests: bool = False) -> None:
    """Let it happen, and compare everything after each poll."""
    world, truth, now = World(), Truth(nests=nests), FIRST_MS
    for pause, what in [*happened, (HOUR, ("poll", 2, None))]:
        now += pause
        if what[0] != "poll":
            world.happen(now, what)
            if what[0] == "reprice":
                home.restart(now, configs[world.tariff])
            continue
        size, fails = as_int(what[1]), what[2]
        home.source.runs, home.source.size = dict(world.runs), size
        home.source.fails_after = None if fails is None else as_int(fails)
        read = list(world.runs.values())
        if fails is not None:
            read = read[: size * as_int(fails)]
        report = home.cycle(now)
        truth.poll(world, now, read, complete=fails is None)
        assert report.evaluated == bool(truth.complete)
        fired = truth.alarms.evaluate(truth.totals(), now, truth.complete) if report.evaluated else 0
        assert report.fired == fired
        assert min(fired, 1) <= report.enqueued <= fired  # what goes into an earlier message's thread is apart
        check(home, truth, now)
        if twice:
            before = home.everything()
            again = home.cycle(now)
            assert (again.fired, again.enqueued) == (0, 0)
            assert home.everything() == before
    check_evidence(home, truth, now)


lightly = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], print_blob=False)


def _has_families(story: Steps) -> bool:
    return any(what[0] == "begin" and what[5:] and what[5] is not None for _, what in story)


@pytest.mark.parametrize("story", STORIES)
def test_a_known_story(configs: Configs, migrated_sqlite: Path, story: str) -> None:
    with house(configs[0], migrated_sqlite, FIRST_MS) as home:
        play(home, configs, STORIES[story], twice=True)


@pytest.mark.parametrize("story", [name for name, steps in STORIES.items() if _has_families(steps)])
def test_a_known_story_of_a_family(nesting: Configs, migrated_sqlite: Path, story: str) -> None:
    with house(nesting[0], migrated_sqlite, FIRST_MS) as home:
        play(home, nesting, STORIES[story], twice=True, nests=True)


@settings(lightly, max_examples=90)
@given(steps)
def test_totals_and_alerts_are_what_the_oracle_says(configs: Configs, migrated_sqlite: Path, happened: Steps) -> None:
    with house(configs[0], migrated_sqlite, FIRST_MS) as home:
        play(home, configs, happened)


@settings(lightly, max_examples=80)
@given(nested_steps)
def test_nested_runs_are_what_the_oracle_says(nesting: Configs, migrated_sqlite: Path, happened: Steps) -> None:
    with house(nesting[0], migrated_sqlite, FIRST_MS) as home:
        play(home, nesting, happened, twice=True, nests=True)


@settings(lightly, max_examples=80)
@given(shared_steps)
def test_runs_that_share_machines_are_what_the_oracle_says(
    configs: Configs, migrated_sqlite: Path, happened: Steps
) -> None:
    with house(configs[0], migrated_sqlite, FIRST_MS) as home:
        play(home, configs, happened, twice=True)


@settings(lightly, max_examples=60)
@given(nested_and_shared_steps)
def test_nested_runs_that_share_machines_are_what_the_oracle_says(
    nesting: Configs, migrated_sqlite: Path, happened: Steps
) -> None:
    with house(nesting[0], migrated_sqlite, FIRST_MS) as home:
        play(home, nesting, happened, twice=True, nests=True)


@settings(lightly, max_examples=30)
@given(steps)
def test_the_same_poll_again_changes_nothing(configs: Configs, migrated_sqlite: Path, happened: Steps) -> None:
    with house(configs[0], migrated_sqlite, FIRST_MS) as home:
        play(home, configs, happened, twice=True)


@settings(lightly, max_examples=30)
@given(steps)
def test_however_a_poll_is_cut_into_batches_the_ledger_is_the_same(
    configs: Configs, migrated_sqlite: Path, happened: Steps
) -> None:
    world, now = World(), FIRST_MS
    with (
        house(configs[0], migrated_sqlite, FIRST_MS) as whole,
        house(configs[0], migrated_sqlite, FIRST_MS) as cut,
    ):
        for pause, what in [*happened, (HOUR, ("poll", 1, None))]:
            now += pause
            if what[0] != "poll":
                world.happen(now, what)
                continue
            whole.source.runs = dict(world.runs)
            cut.source.runs, cut.source.size = dict(reversed(world.runs.items())), 1
            assert whole.cycle(now).fired == cut.cycle(now).fired
        assert ledger_totals(whole, now) == ledger_totals(cut, now)
        assert charges_of(whole) == charges_of(cut)
        assert alerts_of(whole) == alerts_of(cut)


@settings(lightly, max_examples=30)
@given(nested_and_shared_steps, st.randoms(use_true_random=False))
def test_in_whatever_order_a_poll_shows_families_and_sharers_what_stands_is_the_same(
    nesting: Configs, migrated_sqlite: Path, happened: Steps, chance: Random
) -> None:
    world, now = World(), FIRST_MS
    with (
        house(nesting[0], migrated_sqlite, FIRST_MS) as whole,
        house(nesting[0], migrated_sqlite, FIRST_MS) as cut,
    ):
        for pause, what in [*happened, (HOUR, ("poll", 1, None))]:
            now += pause
            if what[0] != "poll":
                world.happen(now, what)
                continue
            shown = list(world.runs.items())
            chance.shuffle(shown)
            whole.source.runs = dict(world.runs)
            cut.source.runs, cut.source.size = dict(shown), chance.randint(1, 3)
            assert whole.cycle(now).fired == cut.cycle(now).fired
            assert without_blanks(ledger_totals(whole, now)) == without_blanks(ledger_totals(cut, now))
            assert standing_of(whole) == standing_of(cut)
            assert alerts_of(whole) == alerts_of(cut)
            with cut.services.ledger.read() as view:
                assert verify_ledger(view).ok


def standing_of(home: House) -> list[tuple[object, ...]]:
    """What stands of every run: charges that no reversal cancels, with their rule and share, and since when it runs."""
    return home.rows(
        "SELECT r.run_uuid, c.meter, c.start_ms, c.end_ms, t.tags, p.unit_price, p.rule, p.share, "
        "SUM(CASE WHEN c.quantity < 0 THEN -1 ELSE 1 END), SUM(c.quantity), SUM(c.cost_nanos) "
        "FROM charge c JOIN run r ON r.id = c.run_id JOIN tag_set t ON t.id = c.tag_set_id "
        "JOIN rate p ON p.id = c.rate_id GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 "
        "HAVING SUM(CASE WHEN c.quantity < 0 THEN -1 ELSE 1 END) <> 0 ORDER BY 1, 2, 3, 4, 5, 6, 7, 8"
    ) + home.rows(
        "SELECT r.run_uuid, o.start_ms, o.until_ms FROM open_segment o JOIN run r ON r.id = o.run_id ORDER BY 1"
    )


def charges_of(home: House) -> list[tuple[object, ...]]:
    """Every charge with what its numbers stand for: two ledgers give them in another order."""
    return home.rows(
        "SELECT r.run_uuid, c.meter, c.start_ms, c.revision, c.end_ms, t.tags, p.unit_price, c.quantity, c.cost_nanos "
        "FROM charge c JOIN run r ON r.id = c.run_id JOIN tag_set t ON t.id = c.tag_set_id "
        "JOIN rate p ON p.id = c.rate_id ORDER BY 1, 2, 3, 4"
    )
