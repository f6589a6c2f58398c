"""Commands that read leave the totals to whoever polls."""

from pathlib import Path

import pytest

from alerter.bootstrap import wire
from alerter.config import Config
from alerter.status import status_json
from alerter.verify import verify_ledger
from tests.truth.ledgers import DAY, HOUR, House, config_of, house, run

NOW = 1_795_435_200_000  # 2026-11-23T12:00Z
PRICES = "catalogs: []\nprices: [{match: {instance_type: '*'}, per_instance_hour: '1'}]\n"
ALL = "budgets: [{name: all, amount: 100, period: monthly, receivers: [console]}]\n"
WITH_VISION = ALL.replace(
    "]}]", "]}, {name: vision, match: {team: vision}, amount: 5, period: monthly, receivers: [console]}]"
)
ONLY_VISION = ALL.replace("amount", "match: {team: vision}, amount")
RAISED = ALL.replace("100", "200")
RUNS = [
    run("a", "FINISHED", NOW - 3 * HOUR, NOW - HOUR, tags={"team": "vision"}),
    run("b", "FINISHED", NOW - 3 * HOUR, NOW - HOUR, tags={"team": "nlp"}),
]


def shown(config: Config, world: House) -> dict[str, tuple[str, str]]:
    services = wire(config, world.store, now_ms=NOW, reading=True)
    with services.windows.read() as view:
        return {row["budget"]: (row["spent"], row["amount"]) for row in status_json(view, NOW)["budgets"]}


@pytest.mark.parametrize(
    ("edited", "expected"),
    [
        (WITH_VISION, {"all": ("4.00", "100.00")}),  # a new budget waits for the next cycle
        (ONLY_VISION, {}),  # so does one that counts other runs
        (RAISED, {"all": ("4.00", "200.00")}),  # another amount changes no total
    ],
    ids=["new", "narrower", "raised"],
)
def test_a_reader_on_edited_files_changes_nothing(
    tmp_path: Path, migrated_sqlite: Path, edited: str, expected: dict[str, tuple[str, str]]
) -> None:
    running = config_of(tmp_path / "running", ALL, PRICES)
    with house(running, migrated_sqlite, NOW, RUNS) as world:
        world.cycle(NOW)
        before = world.everything()
        assert shown(config_of(tmp_path / "edited", edited, PRICES), world) == expected
        assert world.everything() == before

        # The daemon goes on by its own configuration, and takes the edited one when it reloads.
        world.source.put(run("c", "FINISHED", NOW - HOUR, NOW, tags={"team": "vision"}))
        world.cycle(NOW + HOUR)
        world.restart(NOW + DAY, config_of(tmp_path / "edited", edited, PRICES))
        world.cycle(NOW + DAY)
        with world.services.windows.read() as view:
            assert verify_ledger(view).ok
            spent = {row["budget"]: row["spent"] for row in status_json(view, NOW + DAY)["budgets"]}
        vision, everything = "3.00", "5.00"
        assert spent.get("vision", vision) == vision
        assert spent["all"] == (vision if edited == ONLY_VISION else everything)
