"""Settings of tags that change later: the ledger's totals follow, as for a new budget, and agree to the nano."""

from pathlib import Path

from alerter.core.usage import RunObservation
from alerter.status import budget_status
from alerter.store.engine import Store
from alerter.verify import verify_ledger
from tests.truth.ledgers import HOUR, FakeSource, House, config_of, run, services_of

NOW = 1_795_435_200_000
PRICES = 'catalogs: []\nprices: [{match: {instance_type: m5.xlarge}, per_instance_hour: "10"}]\n'
BUDGETS = """\
defaults: {period: monthly, receivers: [console], timezone: Europe/Berlin}
budgets:
  - name: every-team
    group_by: [team]
    amount: 1000
    overrides:
      - {team: (untagged), amount: 50, owner: "@platform"}
      - {team: (unknown), amount: 20, owner: "@finops"}
"""
FULL = """\
tags:
  casefold: [team]
  aliases: {team: {cv: vision}}
  known_values: {team: [vision, nlp]}
  derive: {team: "/teams/{team}/*"}
"""


def ended(name: str, hours: int, experiment: str = "x", **tags: str) -> RunObservation:
    return run(name, "FINISHED", NOW - 200 * HOUR, NOW - (200 - hours) * HOUR, tags={"experiment": experiment, **tags})


RUNS = [
    ended("a", 1, team="vision"),
    ended("b", 2, team="Vision"),
    ended("c", 4, team="cv"),
    ended("d", 8, team="visoin"),
    ended("e", 16, "/teams/nlp/bert"),
    ended("f", 32, "/teams/robots/arm"),
    ended("g", 64),
    run("h", "RUNNING", NOW - HOUR, tags={"experiment": "/teams/nlp/bert"}, alive_ms=NOW),
]


def spent(home: House) -> dict[str, int]:
    """Dollars by team."""
    with home.services.windows.read() as view:
        assert verify_ledger(view).ok
        return {each.scope[0][1]: each.spent_nanos // 10**10 for each in budget_status(view, NOW)}


def test_totals_follow(store: Store, tmp_path: Path) -> None:
    config = config_of(tmp_path / "plain", BUDGETS, PRICES, "tags: {trim: true}\n")
    source = FakeSource()
    source.put(*RUNS)
    home = House(config, store, source, services_of(config, store, source, NOW))
    home.cycle(NOW)
    before = {"vision": 1, "Vision": 2, "cv": 4, "visoin": 8, "(untagged)": 16 + 32 + 64 + 1}
    assert spent(home) == before

    home.restart(NOW, config_of(tmp_path / "full", BUDGETS, PRICES, FULL))
    home.cycle(NOW)
    after = {"vision": 7, "nlp": 17, "(unknown)": 8 + 32, "(untagged)": 64}
    assert {team: dollars for team, dollars in spent(home).items() if dollars} == after

    charges = home.rows("SELECT COUNT(*) FROM charge")
    home.restart(NOW, config_of(tmp_path / "plain", BUDGETS, PRICES, "tags: {trim: true}\n"))
    home.cycle(NOW)
    assert {team: dollars for team, dollars in spent(home).items() if dollars} == before
    assert home.rows("SELECT COUNT(*) FROM charge") == charges  # no run was charged again


def test_runs_that_say_nothing_have_an_amount_and_an_owner(store: Store, tmp_path: Path) -> None:
    config = config_of(tmp_path, BUDGETS, PRICES, FULL)
    source = FakeSource()
    home = House(config, store, source, services_of(config, store, source, NOW))
    home.cycle(NOW - HOUR)
    source.put(*RUNS)
    home.cycle(NOW)
    (text,) = (str(each[0]) for each in home.rows("SELECT message FROM notification"))
    assert '"(untagged)"' in text
    assert "@platform" in text
    assert '"(unknown)"' in text
    assert "@finops" in text
