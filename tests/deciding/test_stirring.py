"""What an evaluation leaves out changes nothing: it would find nothing to do there."""

from __future__ import annotations

import random
from pathlib import Path

from alerter.core.evaluation import due_thresholds
from alerter.evaluate.measuring import current_periods, standings, stirring
from alerter.spending import accruals, by_budget
from alerter.store.engine import Store
from tests.deciding.tools import at, daemon
from tests.truth.ledgers import DAY, HOUR, House, run

BUDGETS = """
defaults: {timezone: Europe/Berlin, receivers: [a]}
budgets:
  - name: month
    group_by: [team]
    amount: "400"
    period: monthly
    thresholds: [80%, forecast 100%]
  - name: foreseen
    group_by: [team]
    amount: "300"
    period: weekly
    thresholds: [forecast 90%, forecast 120%]
    timezone: Asia/Kathmandu
  - name: window
    group_by: [team]
    amount: "90"
    period: {rolling_days: 3}
    thresholds: [60%, 100%]
  - name: some
    group_by: [team]
    amount: "2000"
    period: quarterly
    thresholds: [50%, 100%, forecast 80%]
    overrides: [{team: t3, amount: "40"}, {team: t9, amount: "9000"}]
  - name: years
    group_by: [team]
    amount: "1500"
    period: yearly
    thresholds: [100%]
  - name: dated
    group_by: [team]
    amount: "200"
    period: {from: 2026-10-05, to: 2026-10-20}
    thresholds: [70%, forecast 100%]
"""
TEAMS = 30


def stirred(home: House, now_ms: int, *, again: bool) -> tuple[int, int]:
    """How many standings there are, and how many are looked at, of which the others have nothing that is due."""
    with home.services.ledger.read() as view:
        everything = {(each.budget_id, each.scope_id): each for each in standings(view, now_ms)}
        current = current_periods(view, now_ms)
        counted = by_budget(view, accruals(view, now_ms))
        found = stirring(view, current, counted, (), now_ms, again=again)  # even without those that have alerts already
    looked_at = {(each.budget_id, each.scope_id): each for each in found}
    assert looked_at == {key: everything[key] for key in looked_at}
    left_out = [each for key, each in everything.items() if key not in looked_at]
    assert not [each for each in left_out if due_thresholds(each.budget.thresholds, each.budget.beyond, each.level)]
    return len(everything), len(looked_at)


def test_only_where_a_threshold_may_be_reached_is_looked_at_and_nothing_is_missed(store: Store, tmp_path: Path) -> None:
    rng, start = random.Random(5), at("2026-10-01T00:00")  # noqa: S311 - the same histories every time
    whole = part = 0
    with daemon(store, tmp_path, BUDGETS, start) as home:
        for day, hour in sorted((rng.randrange(40), rng.randrange(24)) for _ in range(36)):
            now_ms = start + day * DAY + hour * HOUR
            for number in range(rng.randrange(8)):
                began = now_ms - rng.randrange(1, 30 * HOUR)
                tags = {"team": f"t{int(TEAMS * rng.random() ** 2)}"}
                ends = None if rng.random() < 0.2 else rng.randrange(began, now_ms)
                status = "RUNNING" if ends is None else "FINISHED"
                alive = now_ms if ends is None else None
                home.source.put(run(f"{day}-{hour}-{number}", status, began, ends, tags=tags, alive_ms=alive))
            for uuid, each in list(home.source.runs.items()):
                if each.status == "RUNNING" and rng.random() < 0.5:
                    home.source.put(run(uuid, "FINISHED", each.start_ms, now_ms - HOUR, tags=dict(each.tags)))
            home.cycle(now_ms)
            for later in (0, rng.randrange(8 * HOUR)):
                for again in (True, False):
                    measured, looked_at = stirred(home, now_ms + later, again=again)
                    whole, part = whole + measured, part + looked_at
    assert 0 < part < whole * 0.7
