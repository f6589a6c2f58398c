"""A first sync of several sources with runs that can't be recorded comes to what one without them comes to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from alerter.config import Config
from alerter.core.usage import RunObservation
from alerter.cycle import run_cycle
from alerter.store.engine import Store
from alerter.verify import verify_ledger
from tests.truth.ledgers import HOUR, MINUTE, FakeSource, House, config_of, house, house_on, run

T0 = int(datetime(2026, 11, 10, 12, tzinfo=UTC).timestamp()) * 1000
BUDGETS = """
defaults: {receivers: [console]}
budgets:
  - {name: all, amount: 10, period: monthly}
  - {name: teams, amount: 10, group_by: [team], period: weekly}
"""
BOX = {"instance_type": "m5.xlarge", "resource_id": "box"}
PRICES = 'catalogs: []\nprices: [{match: {instance_type: m5.xlarge}, per_instance_hour: "1.1"}]\n'
TOLD = (
    (
        "SELECT s.name, r.run_uuid, r.state, r.start_ms, r.end_ms, r.parent_uuid, r.costs, t.tags, u.usage FROM run r "
        "JOIN source s ON s.id = r.source_id JOIN tag_set t ON t.id = r.tag_set_id "
        "JOIN usage_set u ON u.id = r.usage_set_id"
    ),
    (
        "SELECT s.name, r.run_uuid, c.meter, c.start_ms, c.revision, c.end_ms, t.tags, e.rule, c.quantity, "
        "c.cost_nanos FROM charge c JOIN run r ON r.id = c.run_id JOIN source s ON s.id = r.source_id "
        "JOIN tag_set t ON t.id = c.tag_set_id JOIN rate e ON e.id = c.rate_id"
    ),
    (
        "SELECT b.name, s.key, d.local_day, d.nanos FROM daily d JOIN budget b ON b.id = d.budget_id "
        "JOIN scope s ON s.id = d.scope_id"
    ),
    "SELECT r.run_uuid, o.start_ms, o.until_ms, o.kin_ms FROM open_segment o JOIN run r ON r.id = o.run_id",
)


def some_runs(source: str) -> list[RunObservation]:
    """Of every kind, so that some go the short way of a first sync and some the long one."""
    team = {"team": source}
    runs = [
        run(f"{source}{number}", "FINISHED", T0 - 9 * HOUR, T0 - number * MINUTE, tags=team | {"n": f"{number % 4}"})
        for number in range(14)
    ]
    runs[3] = replace(runs[3], parent_uuid=f"{source}8")
    runs[5] = replace(runs[5], costs=(("metric.cost_usd", "3.5"),))
    runs[6:8] = [run(f"{source}box{each}", "FINISHED", T0 - 4 * HOUR, T0, usage=BOX, tags=team) for each in "ab"]
    runs[9] = run(f"{source}on", "RUNNING", T0 - 2 * HOUR, tags=team, alive_ms=T0 - MINUTE)
    runs[10] = run(f"{source}quiet", "RUNNING", T0 - 30 * HOUR, tags=team)
    return runs


def bad_runs(source: str) -> list[RunObservation]:
    """What no database takes: of tags, rates and scopes that no other run has."""
    late = run(f"{source}late", "FINISHED", T0 - HOUR, 2**70, tags={"team": "only the late one's"})
    torn = run(f"{source}torn", "FINISHED", T0 - HOUR, T0, tags={"team": "\ud800"})
    return [late, torn, replace(torn, run_uuid=f"{source}named", tags=(("team", "named"),), name="\udfff")]


def synced(home: House, *, poisoned: bool) -> tuple[list[set[tuple[object, ...]]], list[int]]:
    """Return what the ledger holds after a first sync and a later poll, and how many runs each poll set aside."""
    sources = [FakeSource(size=4, name=name) for name in ("a", "b")]
    for source in sources:
        runs = some_runs(source.name)
        for at, bad in zip((2, 7, 15), bad_runs(source.name) if poisoned else (), strict=False):
            runs.insert(at, bad)
        source.put(*runs)
    home.services = replace(home.services, sources=sources)
    aside = []
    for later in (0, MINUTE):
        report = run_cycle(home.services, T0 + later)
        assert report.evaluated
        aside += [each.recorded.set_aside for each in report.polls]
        sources[0].put(replace(sources[0].runs["a1"], tags=(("team", "moved"),)))
    with home.services.ledger.read() as view:
        assert verify_ledger(view).ok
    return [set(home.rows(sql)) for sql in TOLD], aside


def test_a_first_sync_of_several_sources(store: Store, migrated_sqlite: Path, tmp_path: Path) -> None:
    config: Config = config_of(tmp_path / "config", BUDGETS, PRICES)
    with house(config, migrated_sqlite, T0) as clean:
        expected, aside = synced(clean, poisoned=False)
    assert aside == [0] * 4
    found, aside = synced(house_on(config, store, T0), poisoned=True)
    assert aside == [3] * 4
    assert found == expected
