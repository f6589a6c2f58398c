"""Retention: charges that fold into daily sums change no total, of any zone, and say so; nothing is charged twice.

On both databases: folding is statements of their own.
"""

from __future__ import annotations

import io
import random
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from alerter.config import Config
from alerter.core.money import plain
from alerter.core.usage import RunObservation, RunStatus
from alerter.explain import explain
from alerter.export import export_csv
from alerter.status import budget_status
from alerter.store.engine import Store
from alerter.verify import verify_ledger
from tests.truth.ledgers import DAY, HOUR, House, config_of, house, house_on, run

NOW = int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()) * 1000
OLD = NOW - 150 * DAY
BUDGETS = """
defaults: {receivers: [console], period: monthly}
budgets:
  - {name: berlin, amount: 1000000, group_by: [team], timezone: Europe/Berlin}
  - {name: new-york, amount: 1000000, timezone: America/New_York, components: [machines]}
  - {name: nepal, amount: 1000000, timezone: Asia/Kathmandu, match: {team: vision}}
"""
SINCE = "SELECT COUNT(*) FROM charge WHERE end_ms > ? AND run_id IN (SELECT id FROM run WHERE state = 'FOLDED')"
LATER = (
    "SELECT s.key, d.local_day, d.nanos FROM daily d JOIN scope s ON s.id = d.scope_id "
    "JOIN budget b ON b.id = d.budget_id WHERE b.name = 'later'"
)
PRICED = (
    "SELECT run_uuid, folded_nanos FROM run WHERE folded_nanos > 0 "
    "AND usage_set_id = (SELECT MIN(id) FROM usage_set WHERE usage LIKE '%m5%') ORDER BY id LIMIT 1"
)
PRICES = """
catalogs: []
prices: [{match: {instance_type: m5.xlarge}, per_instance_hour: "0.1234567"}]
"""
KEEP = "ledger: {keep: 120d}\n"


def folder_of(tmp_path: Path, budgets: str = BUDGETS, alerter: str = KEEP) -> Config:
    return config_of(tmp_path / f"config-{hash((budgets, alerter))}", budgets, PRICES, alerter)


def some_runs() -> list[RunObservation]:
    """Most of one month long ago: some over midnights, some without a price, some that logged their cost."""
    chance = random.Random(3)  # noqa: S311 - the same ones every time
    runs = []
    for number in range(800):
        start = OLD + chance.randrange(30 * DAY if number % 8 else 140 * DAY)
        tags = {"team": chance.choice(["vision", "nlp"]), "experiment_id": "1"}
        usage = {"instance_type": chance.choice(["m5.xlarge", "m5.xlarge", "nobody-knows"])}
        made = run(f"r{number}", "FINISHED", start, start + chance.randrange(4 * HOUR), usage=usage, tags=tags)
        if number % 7 == 0:
            made = replace(made, costs=(("metric.cost_usd", f"{number}.000000007"),))
        runs.append(made)
    return runs


@pytest.fixture
def kept(tmp_path: Path, store: Store) -> House:
    """A ledger of them in which some were corrected, and nothing is folded."""
    made = house_on(folder_of(tmp_path, alerter=" "), store, NOW, some_runs())
    made.cycle(NOW - DAY)
    for number in range(0, 800, 9):
        before = made.source.runs[f"r{number}"]
        made.source.put(replace(before, tags=(("experiment_id", "1"), ("team", "moved"))))
    made.cycle(NOW - HOUR)
    return made


def told(home: House) -> tuple[object, ...]:
    """Everything that may not change: totals, what is exported, where budgets stand."""
    with home.services.ledger.read() as view:
        found = verify_ledger(view)
        assert found.ok, list(found.lines())
        out = io.StringIO(newline="")
        exported = export_csv(view, home.services.pricer, (0, NOW), NOW, out)
        status = [(row.title, row.spent_nanos) for row in budget_status(view, NOW)]
    assert any(spent for _, spent in status)
    return home.rows("SELECT * FROM daily ORDER BY 1, 2, 3"), exported.nanos, status


def total(home: House) -> int:
    return int(str(home.rows("SELECT SUM(nanos) FROM daily")[0][0]))


def charges(home: House) -> int:
    return int(str(home.rows("SELECT COUNT(*) FROM charge")[0][0]))


def fold(home: House, tmp_path: Path, budgets: str = BUDGETS) -> None:
    home.restart(NOW, folder_of(tmp_path, budgets))
    home.cycle(NOW)


def test_every_total_stays_what_it_was_to_the_nano(kept: House, tmp_path: Path) -> None:
    before, rows = told(kept), charges(kept)
    fold(kept, tmp_path)
    assert told(kept) == before
    assert charges(kept) < 0.7 * rows
    folded = kept.rows("SELECT COUNT(*) FROM run WHERE folded_ms IS NOT NULL")[0][0]
    late = kept.rows("SELECT COUNT(*) FROM run WHERE folded_ms > ?", NOW - 120 * DAY)[0][0]
    assert (int(str(folded)) > 500, late) == (True, 0)
    assert kept.rows(SINCE, NOW - 118 * DAY) == [(0,)]
    everything = kept.everything()
    kept.cycle(NOW + HOUR)
    assert kept.everything() == everything  # the day's look is over; all runs were seen again


def test_a_budget_that_comes_later_has_the_same_totals(kept: House, tmp_path: Path, migrated_sqlite: Path) -> None:
    more = BUDGETS + "  - {name: later, amount: 1000000, group_by: [team], timezone: Europe/Berlin, period: weekly}\n"
    fold(kept, tmp_path)
    fold(kept, tmp_path, more)
    with house(folder_of(tmp_path, more, " "), migrated_sqlite, NOW, list(kept.source.runs.values())) as fresh:
        fresh.cycle(NOW)
        assert sorted(kept.rows(LATER)) == sorted(fresh.rows(LATER))  # of SQLite, whichever the other one is


def test_what_would_take_more_rows_stays(tmp_path: Path, store: Store) -> None:
    """Where each run has tags of its own there is nothing to add up."""
    runs = [
        replace(each, tags=(("experiment_id", "1"), ("team", f"team-{number}")))
        for number, each in enumerate(some_runs())
    ]
    home = house_on(folder_of(tmp_path), store, NOW, runs)
    home.cycle(NOW)
    assert home.rows("SELECT COUNT(*) FROM run WHERE folded_ms IS NOT NULL OR state = 'FOLDED'") == [(0,)]
    assert home.rows("SELECT COUNT(DISTINCT run_id) FROM charge") == [(len(runs),)]


def test_explain_says_so(kept: House, tmp_path: Path) -> None:
    first = min(kept.source.runs.values(), key=lambda each: each.end_ms or 0)
    with kept.services.ledger.read() as view:
        before = explain(view, first.run_uuid, NOW)
    fold(kept, tmp_path)
    with kept.services.ledger.read() as view:
        after = explain(view, first.run_uuid, NOW)
    assert before["folded"] is None
    assert after["folded"]["cost"] == before["run"]["cost"] == after["run"]["cost"]
    assert after["segments"] == before["segments"]
    assert after["charges"] == []


def test_what_is_edited_afterwards_is_neither_charged_again_nor_taken_back(kept: House, tmp_path: Path) -> None:
    fold(kept, tmp_path)
    before = told(kept)
    uuid = str(kept.rows("SELECT run_uuid FROM run WHERE folded_nanos > 0 ORDER BY id LIMIT 1")[0][0])
    known = kept.source.runs[uuid]
    kept.source.put(replace(known, tags=(("experiment_id", "1"), ("team", "late")), name="renamed"))
    kept.cycle(NOW + HOUR)
    kept.source.put(replace(known, deleted=True))
    kept.cycle(NOW + 2 * HOUR)
    kept.source.put(replace(known, start_ms=known.start_ms - DAY))
    kept.cycle(NOW + 3 * HOUR)
    assert told(kept)[0] == before[0]


def test_one_that_runs_again_is_charged_for_what_it_runs_now(kept: House, tmp_path: Path) -> None:
    fold(kept, tmp_path)
    before = total(kept)
    uuid, nanos = kept.rows(PRICED)[0]
    known = kept.source.runs[str(uuid)]
    again = replace(known, status=RunStatus.RUNNING, last_metric_ms=NOW + HOUR, costs=())
    kept.source.put(again)
    kept.cycle(NOW + HOUR)
    kept.source.put(replace(again, status=RunStatus.FINISHED, end_ms=NOW + 3 * HOUR, last_metric_ms=NOW + 3 * HOUR))
    kept.cycle(NOW + 4 * HOUR)
    with kept.services.ledger.read() as view:
        assert verify_ledger(view).ok
        found = explain(view, str(uuid), NOW + 4 * HOUR)
    new = Decimal("0.1234567") * 2
    assert Decimal(found["run"]["cost"]) == Decimal(plain(int(str(nanos)))) + new
    assert total(kept) - before == int(new * 10**9) * len(found["budgets"])


def test_what_is_kept_too_briefly_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="at least 90d"):
        folder_of(tmp_path, alerter="ledger: {keep: 30d}\n")
