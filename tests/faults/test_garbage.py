"""Ten thousand runs of whatever clients write: none is lost, none counts twice, and the good ones count to the cent."""

from __future__ import annotations

import logging
import random
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies as st

from alerter.core.ports import Batch, PollRequest
from alerter.core.usage import RunObservation
from alerter.verify import verify_ledger
from tests.truth.ledgers import HOUR, FakeSource, House, config_of, house, run
from tests.truth.test_garbage import BUDGETS, JUNK, KEYS, NOW_MS, TIMES, garbage

RUNS = 10_000
POLLS = 10
CENTS = 192_000_000  # of an hour of m5.xlarge, in nanos
ALERTER = """
sources: [{name: main, tracking_uri: http://127.0.0.1:5000}]
receivers: [{name: console, console: {}}]
operators: console
"""

odd_times = st.sampled_from([0, 1, *(each for each in TIMES if abs(each - NOW_MS) < 10**12)])
odd_texts = st.sampled_from([each for each in JUNK if each.isprintable() and len(each) < 100]) | st.text(
    st.characters(categories=["L", "N", "P", "S"]), max_size=12
)
odd = st.builds(
    run,
    st.just(""),
    st.sampled_from(["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"]),
    odd_times,
    st.none() | odd_times,
    usage=st.dictionaries(
        st.sampled_from(KEYS), odd_texts | st.sampled_from(["m5.xlarge", "p4d.24xlarge", "T4"]), max_size=5
    ),
    tags=st.dictionaries(st.sampled_from(["team", "project", "note"]), odd_texts, max_size=3),
    deleted=st.booleans(),
    alive_ms=st.none() | odd_times,
    parent=st.sampled_from([None, None, "itself", "g5"]),
)


def ten_thousand() -> list[RunObservation]:
    """Let hypothesis make them: most are odd, one in thirty is such as no database may take."""
    made: list[RunObservation] = []

    @settings(
        max_examples=RUNS,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(odd, garbage)
    def collect(likely: RunObservation, worst: RunObservation) -> None:
        name = f"g{len(made)}"
        each = likely if len(made) % 30 else worst
        made.append(
            replace(each, run_uuid=name, parent_uuid=name if each.parent_uuid == "itself" else each.parent_uuid)
        )

    collect()
    return made


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


class Named(logging.Handler):
    """Keeps which runs the log names as set aside, and nothing else of some hundred lines."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.runs: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        if found := re.match(r"run set aside: .* run='(g\d+)'", record.getMessage()):
            self.runs.add(found[1])


@pytest.fixture
def named() -> Iterator[Named]:
    handler, log = Named(), logging.getLogger("alerter")
    log.addHandler(handler)
    log.propagate = False
    yield handler
    log.propagate = True
    log.removeHandler(handler)


@pytest.mark.timeout(600)
def test_ten_thousand_runs_of_garbage(tmp_path: Path, migrated_sqlite: Path, named: Named) -> None:
    dice = random.Random(2026)  # noqa: S311 - the same choice every time
    runs = ten_thousand()
    assert len({each.run_uuid for each in runs}) == RUNS
    config = config_of(tmp_path, BUDGETS, "catalogs: [builtin]\n", ALERTER)
    with house(config, migrated_sqlite, NOW_MS) as home:
        home.source = News()
        home.restart(NOW_MS)
        told: dict[str, RunObservation] = {}
        for poll in range(POLLS):
            again = dice.sample(sorted(told), min(len(told), RUNS // POLLS // 10))
            told |= {name: replace(other, run_uuid=name) for name, other in zip(again, reversed(runs), strict=False)}
            news = runs[poll * RUNS // POLLS : (poll + 1) * RUNS // POLLS]
            told |= {each.run_uuid: each for each in news}
            home.source.put(*news, *(told[name] for name in again))
            home.source.put(run(f"good{poll}", "FINISHED", NOW_MS - HOUR, NOW_MS, tags={"team": "good"}))
            assert home.cycle(NOW_MS + poll * HOUR).evaluated
        assert good(home) == POLLS * CENTS
        totals(home)

        # All of it told once more, and by a daemon that has just started: nothing counts again.
        seen = []
        for _ in range(2):
            home.restart(NOW_MS + POLLS * HOUR)
            home.source.put(*told.values())
            home.cycle(NOW_MS + POLLS * HOUR)
            totals(home)
            seen.append(home.rows("SELECT budget_id, scope_id, local_day, nanos FROM daily ORDER BY 1, 2, 3"))
        assert seen[0] == seen[1]
        assert good(home) == POLLS * CENTS
        kept = {str(row[0]) for row in home.rows("SELECT run_uuid FROM run")}
        assert told.keys() - kept <= named.runs  # what is in no total is named in the log
        assert 0 < len(named.runs) < RUNS / 20
        assert home.rows("SELECT COUNT(*) FROM notification WHERE key LIKE '%set-aside%'") == [(1,)]
