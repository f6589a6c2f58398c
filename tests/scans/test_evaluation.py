"""An evaluation touches the scopes that changed or accrue, or have alerts: counted by what its statements return."""

from __future__ import annotations

from pathlib import Path

from alerter.core.usage import RunObservation
from alerter.store.engine import Store
from tests.scans.plans import sent
from tests.truth.ledgers import DAY, HOUR, MINUTE, House, config_of, house_on, run

NOON = 1_795_435_200_000
"""2026-11-23 12:00 UTC."""
TEAMS = 200
BUDGETS = """
defaults: {receivers: [console], timezone: UTC}
budgets:
  - {name: year, group_by: [team], amount: 1000, period: yearly, thresholds: [80%, forecast 100%]}
  - {name: month, group_by: [team], amount: 1000, period: monthly, thresholds: [80%, 100%]}
"""
PRICES = 'catalogs: []\nprices: [{match: {instance_type: m5.xlarge}, per_instance_hour: "1"}]\n'


def test_only_they_are_touched(store: Store, tmp_path: Path) -> None:
    runs = [team(number, 2) for number in range(TEAMS)] + [team(1, 900, "dear")]
    runs += [run("now", "RUNNING", NOON - HOUR, alive_ms=NOON, tags={"team": "team-2"})]
    home = house_on(config_of(tmp_path, BUDGETS, PRICES), store, NOON, runs)
    everybody = {f"team-{number}" for number in range(TEAMS)}
    assert touched(home, NOON) == everybody  # a process that begins to poll looks at all
    few = {"team-1", "team-2"}  # one with an alert, one where a run goes on
    assert touched(home, NOON + MINUTE) == few
    home.source.put(team(3, 4, "new"))
    assert touched(home, NOON + 2 * MINUTE) == few | {"team-3"}
    home.source.put(run("now", "FINISHED", NOON - HOUR, NOON + 2 * MINUTE, tags={"team": "team-2"}))
    assert touched(home, NOON + 3 * MINUTE) == few | {"team-3"}
    assert touched(home, NOON + DAY) == everybody  # once a local day: what was spent recently is another day's
    assert touched(home, NOON + DAY + MINUTE) == {"team-1"}


def team(number: int, hours: int, name: str = "run") -> RunObservation:
    """A finished run of a team."""
    start = NOON - 20 * DAY if hours < 100 else NOON - 40 * DAY
    return run(f"{name}-{number}", "FINISHED", start, start + hours * HOUR, tags={"team": f"team-{number}"})


def touched(home: House, now_ms: int) -> set[str]:
    """Return the teams of whose totals the next cycle's statements tell anything."""
    with sent() as statements:
        assert home.cycle(now_ms).evaluated
    scopes: set[object] = set()
    with home.store.read() as connection:
        for each in statements:
            if each.sql.startswith("SELECT d.scope_id"):
                scopes |= {row[0] for row in connection.exec_driver_sql(each.sql, each.values)}
    keys = {str(key) for row_id, key in home.rows("SELECT id, key FROM scope") if row_id in scopes}
    return {key.split('"')[3] for key in keys}
