"""Ten thousand runs of whatever clients write: none is lost, none counts twice, and the good ones count to the cent."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from alerter.core.ports import Batch, PollRequest
from alerter.core.usage import RunObservation
from alerter.verify import verify_ledger
from tests.truth.ledgers import HOUR, FakeSource, House, config_of, house, run
from tests.truth.test_garbage import BUDGETS, JUNK, KEYS, NOW_MS, TIMES

RUNS = 10_000
POLLS = 10
CENTS = 192_000_000  # of an hour of m5.xlarge, in nanos


ODD_TIMES = (0, 1, *(each for each in TIMES if abs(each - NOW_MS) < 10**12))
ODD = tuple(each for each in JUNK if each.isprintable() and len(each) < 100)


def garbage(dice: random.Random, uuid: str) -> RunObservation:
    """Return a run that is odd, or, one in thirty, such as no database takes."""
    worst = dice.random() < 1 / 30
    junk, times = (JUNK, TIMES) if worst else (ODD, ODD_TIMES)
    usage = {
        key: dice.choice((*junk, "m5.xlarge", "p4d.24xlarge", "T4")) for key in dice.sample(KEYS, dice.randrange(5))
    }
    tags = {key: dice.choice(junk) for key in dice.sample(("team", "project", "note"), dice.randrange(4))}
    return run(
        uuid,
        dice.choice(("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")),
        dice.choice(times),
        dice.choice((None, *times)),
        usage=usage,
        tags=tags,
        deleted=dice.random() < 0.1,
        alive_ms=dice.choice((None, *times)),
        parent=dice.choice((None, None, uuid, "g5")),
    )


def totals(home: House) -> None:
    """Every total is what its charges say, and none is negative."""
    with home.services.windows.read() as view:
        assert verify_ledger(view).ok
    assert home.rows("SELECT COUNT(*) FROM daily WHERE nanos < 0") == [(0,)]


def good(home: House) -> object:
    sql = "SELECT SUM(d.nanos) FROM daily d JOIN scope s ON s.id = d.scope_id WHERE s.key LIKE '%good%'"
    return home.rows(sql)[0][0]


class News(FakeSource):
    """Tells what was put since the last poll."""

    def poll(self, request: PollRequest) -> Iterator[Batch]:
        news, self.runs = list(self.runs.values()), {}
        yield Batch(news, "", swept=True)


@pytest.mark.timeout(400)
def test_ten_thousand_runs_of_garbage(tmp_path: Path, migrated_sqlite: Path) -> None:
    dice = random.Random(2026)  # noqa: S311 - the same garbage every time
    config = config_of(tmp_path, BUDGETS, "catalogs: [builtin]\n")
    logging.disable(logging.WARNING)  # a line for each that is set aside is what it should say
    try:
        with house(config, migrated_sqlite, NOW_MS) as home:
            home.source = News()
            home.restart(NOW_MS)
            last: dict[str, RunObservation] = {}
            for poll in range(POLLS):
                names = [f"g{poll * RUNS // POLLS + number}" for number in range(RUNS // POLLS)]
                again = dice.sample(sorted(last), min(len(last), RUNS // POLLS // 10))
                last |= {name: garbage(dice, name) for name in (*names, *again)}
                home.source.put(*(last[name] for name in (*names, *again)))
                home.source.put(run(f"good{poll}", "FINISHED", NOW_MS - HOUR, NOW_MS, tags={"team": "good"}))
                assert home.cycle(NOW_MS + poll * HOUR).evaluated
            assert good(home) == POLLS * CENTS
            totals(home)

            # All of it told once more, and by a daemon that has just started: nothing counts again.
            seen = []
            for _ in range(2):
                home.restart(NOW_MS + POLLS * HOUR)
                home.source.put(*last.values())
                home.cycle(NOW_MS + POLLS * HOUR)
                totals(home)
                seen.append(home.rows("SELECT budget_id, scope_id, local_day, nanos FROM daily ORDER BY 1, 2, 3"))
            assert seen[0] == seen[1]
            assert good(home) == POLLS * CENTS
            kept = {str(row[0]) for row in home.rows("SELECT run_uuid FROM run")}
            assert len(last.keys() - kept) < RUNS / 30  # those that no database takes are named in the log
    finally:
        logging.disable(logging.NOTSET)
