"""A message says how much of its run time had a price where that is below the configured floor."""

from pathlib import Path

import pytest

from alerter.core import wording
from alerter.store.messages import decode
from tests.audit.tools import HOUR, PRICES, ms
from tests.truth.ledgers import config_of, house, run

NOON = ms("2026-11-23T12:00Z")
BUDGETS = """\
budgets:
  - {name: everything, amount: 1, period: monthly, receivers: [console]}
"""
PARTS = {"gpu_count": "9", "gpu_type": "T4", "cpu_cores": "8", "memory_gb": "16"}


@pytest.mark.parametrize(
    ("floor", "unpriced", "said"),
    [
        ("100%", 0, ""),
        ("100%", 1, "90 % of run time priced"),
        ("90%", 1, ""),
        ("91%", 1, "90 % of run time priced"),
        ("0%", 1, ""),
    ],
)
def test_it_is_said_below_the_floor(
    tmp_path: Path, migrated_sqlite: Path, floor: str, unpriced: int, said: str
) -> None:
    config = config_of(tmp_path, BUDGETS, PRICES, f"alerts: {{coverage_floor: {floor}}}\n")
    with house(config, migrated_sqlite, NOON) as home:
        # Three lines charge each hour that is priced, and one the hour that is not: by lines it would be 96 %.
        home.source.put(run("a", "FINISHED", NOON - 9 * HOUR, NOON, usage=PARTS))
        for place in range(unpriced):
            home.source.put(run(f"b{place}", "FINISHED", NOON - HOUR, NOON, usage={"instance_type": "x9.huge"}))
        home.cycle(NOON)
        ((text,),) = home.rows("SELECT message FROM notification")
    (alert,) = decode(str(text)).alerts
    assert wording.coverage_line(alert) == said
