"""The short way of new runs that have ended comes to what the long way of all others comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from alerter.config import Config
from alerter.core.metering import Known, Metered, is_told_whole, meter
from alerter.core.usage import RunObservation
from tests.truth.ledgers import DAY, HOUR, config_of, house, run
from tests.truth.worlds import TAGS, USAGES

Rows = set[tuple[object, ...]]
T0 = int(datetime(2026, 11, 10, tzinfo=UTC).timestamp()) * 1000
BUDGETS = """
defaults: {receivers: [console], thresholds: [80%]}
budgets:
  - {name: all, amount: "10", period: monthly, timezone: Asia/Kathmandu}
  - {name: teams, group_by: [team], amount: "10", period: weekly}
"""
PRICES = """
catalogs: []
prices:
  - {match: {instance_type: m5.xlarge, tag.team: b}, per_instance_hour: "0.7"}
  - {match: {instance_type: m5.xlarge}, per_instance_hour: "1.1"}
  - {match: {instance_type: p4d.24xlarge}, effective_to: 2026-11-06, per_instance_hour: "32.77"}
  - {match: {instance_type: p4d.24xlarge}, effective_from: 2026-11-06, per_instance_hour: "21.96"}
"""

ends = st.integers(-6 * DAY, HOUR)
lengths = st.one_of(st.integers(1, 2 * HOUR), st.integers(-HOUR, 4 * DAY), st.just(0), st.just(2**60))
seen = st.builds(
    lambda end, length, status, usage, tags, deleted: run(
        "", status, T0 + end - length, T0 + end, usage=usage, tags=tags, deleted=deleted
    ),
    ends,
    lengths,
    st.sampled_from(["FINISHED", "FINISHED", "FAILED", "KILLED", "RUNNING", "SCHEDULED"]),
    st.sampled_from(USAGES),
    st.sampled_from(TAGS),
    st.booleans(),
)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    return config_of(tmp_path_factory.mktemp("config"), BUDGETS, PRICES)


@given(seen)
def test_what_is_told_whole_is_metered_as_it_is_told(told: RunObservation) -> None:
    if is_told_whole(told, T0):
        assert told.end_ms is not None
        assert meter(told, Known(), now_ms=T0, last_seen_ms=0) == Metered(((told.start_ms, told.end_ms),), None)


def ledger_of(config: Config, migrated: Path, before: Sequence[RunObservation], runs: Sequence[RunObservation]) -> Rows:
    """What the ledger holds of some runs, and their scopes' totals, if it knew others before."""
    with house(config, migrated, T0) as home:
        for some in (before, runs):
            home.source.runs.clear()
            home.source.put(*some)
            home.source.size = len(some)
            home.source.fails_after = 1  # after its one batch: nothing that accrues is settled in between
            home.cycle(T0)
        told = "SELECT r.run_uuid, r.name, r.state, r.start_ms, r.end_ms, t.tags, u.usage FROM run r "
        told += "JOIN tag_set t ON t.id = r.tag_set_id JOIN usage_set u ON u.id = r.usage_set_id"
        charges = "SELECT r.run_uuid, c.meter, c.start_ms, c.revision, c.end_ms, t.tags, e.rule, e.unit_price, "
        charges += "c.quantity, c.cost_nanos FROM charge c JOIN run r ON r.id = c.run_id "
        charges += "JOIN tag_set t ON t.id = c.tag_set_id JOIN rate e ON e.id = c.rate_id"
        totals = "SELECT b.name, s.key, d.local_day, d.nanos FROM daily d "
        totals += "JOIN budget b ON b.id = d.budget_id JOIN scope s ON s.id = d.scope_id"
        return {row for sql in (told, charges, totals) for row in home.rows(sql) if "child" not in str(row[0])}


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(seen, min_size=1, max_size=6))
def test_the_short_way_comes_to_what_the_long_way_does(
    config: Config, migrated_sqlite: Path, found: list[RunObservation]
) -> None:
    runs = [replace(each, run_uuid=f"r{number}") for number, each in enumerate(found)]
    # A run in which others are nested, which wait and cost nothing, goes the long way.
    children = [run(f"child{number}", "SCHEDULED", T0, parent=each.run_uuid) for number, each in enumerate(runs)]
    alone, nested_in = (ledger_of(config, migrated_sqlite, before, runs) for before in (runs[:0], children))
    assert alone == nested_in


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_run_that_a_first_sync_shows_twice_is_one_run(config: Config, migrated_sqlite: Path, size: int) -> None:
    first = run("twice", "FINISHED", T0 - 3 * HOUR, T0 - 2 * HOUR, usage=USAGES[0])
    again = replace(first, name="renamed")
    other = run("other", "FINISHED", T0 - 3 * HOUR, T0 - 2 * HOUR, usage=USAGES[0])
    with house(config, migrated_sqlite, T0) as home:
        home.source.runs |= {"a": first, "b": again, "c": other}
        home.source.size = size
        assert home.cycle(T0).polls[0].recorded.set_aside == 0
        charged = "SELECT r.run_uuid, r.name, SUM(c.cost_nanos) FROM run r JOIN charge c ON c.run_id = r.id "
        rows = home.rows(charged + "GROUP BY r.id ORDER BY r.run_uuid")
        assert [row[:2] for row in rows] == [("other", other.name), ("twice", "renamed")]
        assert len({cost for *_, cost in rows}) == 1
