"""Storage when something goes wrong: servers that go down, processes that die, stores that can't be listed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from alerter.check import check_offline
from alerter.coverage import coverage_lines, measure
from tests.storage.memory import BUDGETS, GIB, PRICES, STORAGE, T0, KilledError, ended, nanos, shelved, shelves, spent
from tests.truth.ledgers import DAY, HOUR, MINUTE, config_of


def test_a_poll_lists_no_more_than_is_configured_and_goes_on_after_a_restart(migrated_sqlite: Path) -> None:
    with shelved(migrated_sqlite, "storage: {runs_per_poll: 3}\n") as made:
        source = shelves(made)
        source.put(*(ended(f"r{number}") for number in range(8)))
        source.held = dict.fromkeys(source.runs, GIB)
        for asked, restarts in ((3, True), (6, True), (8, False), (8, True)):
            made.cycle(T0)
            assert len(source.asked) == asked
            if restarts:
                made.restart(T0)
        assert sorted(source.asked) == sorted(source.runs)
        made.cycle(T0 + HOUR)
        assert spent(made, T0 + HOUR)["artifacts"] == 800_000_000


def test_a_server_that_goes_down_in_the_middle_is_read_on_and_fails_no_poll(migrated_sqlite: Path) -> None:
    with shelved(migrated_sqlite) as made:
        source = shelves(made)
        source.put(*(ended(f"r{number}") for number in range(4)))
        source.held, source.fails_at = dict.fromkeys(source.runs, GIB), "r2"
        (polled,) = made.cycle(T0).polls
        assert (polled.error, polled.storage.error, polled.storage.walked) == ("", "main went down", 2)
        source.fails_at = ""
        assert made.cycle(T0 + MINUTE).polls[0].storage.walked == 2
        assert source.asked == ["r0", "r1", "r2", "r3"]


def test_a_process_that_dies_in_the_middle_counts_nothing_twice_and_lists_little_again(migrated_sqlite: Path) -> None:
    with shelved(migrated_sqlite) as made:
        source = shelves(made)
        source.put(*(ended(f"r{number:02}") for number in range(50)))
        source.held, source.dies_at = dict.fromkeys(source.runs, GIB), "r45"
        with pytest.raises(KilledError):
            made.cycle(T0)
        source.dies_at = ""
        made.restart(T0)
        assert made.cycle(T0).polls[0].storage.walked == 10
        assert len(source.asked) == 55
        made.cycle(T0 + HOUR)
        assert spent(made, T0 + HOUR)["artifacts"] == 5_000_000_000


def test_what_cannot_be_listed_is_told_and_tried_again_a_day_later(migrated_sqlite: Path) -> None:
    with shelved(migrated_sqlite) as made:
        source = shelves(made)
        source.put(ended("r1"), ended("r2"))
        source.held, source.broken = {"r1": GIB, "r2": GIB}, {"r1"}
        assert made.cycle(T0).polls[0].storage.unlistable == 1
        made.cycle(T0 + HOUR)
        assert source.asked == ["r1", "r2"]
        with made.services.windows.read() as view:
            assert "not counted: storage of 1 run (main can't list their artifacts)" in " ".join(
                coverage_lines(replace(measure(view, T0 + HOUR), gaps=measure(view, T0 + HOUR).gaps[-1:]))
            )
        source.broken.clear()
        made.cycle(T0 + DAY + HOUR)
        made.cycle(T0 + DAY + 2 * HOUR)
        assert source.asked == ["r1", "r2", "r1"]
        assert spent(made, T0 + DAY + 2 * HOUR)["artifacts"] == nanos(GIB, DAY + 2 * HOUR) + nanos(GIB, HOUR)


def test_switched_off_it_ends_at_the_last_poll_and_begins_anew(migrated_sqlite: Path) -> None:
    off = BUDGETS.replace("components: [storage]", "components: [tokens]")
    with shelved(migrated_sqlite) as made:
        source = shelves(made)
        source.put(ended("r1"))
        source.held = {"r1": GIB}
        made.cycle(T0)
        made.cycle(T0 + HOUR)
        made.restart(T0 + HOUR, config_of(made.config.directory, off, PRICES, "tokens: {enabled: false}\n"))
        made.cycle(T0 + 5 * HOUR)
        assert made.rows(STORAGE) == [(100_000_000,)]
        assert made.rows("SELECT * FROM holding") == made.rows("SELECT * FROM storage_level") == []
        made.restart(T0 + 5 * HOUR, config_of(made.config.directory, BUDGETS, PRICES, "tokens: {enabled: false}\n"))
        made.cycle(T0 + 6 * HOUR)
        made.cycle(T0 + 7 * HOUR)
        assert spent(made, T0 + 7 * HOUR)["artifacts"] == 200_000_000


@pytest.mark.parametrize(
    ("prices", "extra", "said"),
    [
        ("currency: EUR\ncatalogs: []\n", "", "has no price"),
        (PRICES, "storage: {enabled: false}\n", "switched off"),
    ],
)
def test_without_a_price_nothing_is_listed_and_check_says_so(
    migrated_sqlite: Path, prices: str, extra: str, said: str
) -> None:
    with shelved(migrated_sqlite, extra, prices) as made:
        shelves(made).put(ended("r1"))
        made.cycle(T0)
        assert not shelves(made).asked
        (finding,) = [each for each in check_offline(made.config) if "storage" in each.text]
        assert (finding.level, finding.subject) == ("warning", "budget artifacts")
        assert said in finding.text
