"""Prices through the whole cycle, against arithmetic by hand: SageMaker's ratios, Kubernetes' quantities."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from alerter.explain import explain
from alerter.verify import verify_ledger
from tests.truth.ledgers import HOUR, MINUTE, House, config_of, house, run

T0 = int(datetime(2026, 11, 20, tzinfo=UTC).timestamp()) * 1000
BUDGETS = 'budgets: [{name: all, amount: "1", period: monthly, receivers: [console], timezone: UTC}]\n'
SAGEMAKER = {
    ("t3.xlarge", "m5.xlarge", "c5.xlarge"): Decimal("1.20"),
    ("g4dn.xlarge", "g5.xlarge", "g6.xlarge"): Decimal("1.40"),
    ("g4dn.12xlarge", "g5.2xlarge", "g6.12xlarge"): Decimal("1.25"),
    ("p4d.24xlarge", "p5.48xlarge"): Decimal("1.15"),
}
VCPU, GIB, GPU = Decimal("0.031611"), Decimal("0.004237"), Decimal("0.95")
"""OpenCost's rates, an hour."""


def costs(home: House, usages: Mapping[str, Mapping[str, str]], length_ms: int) -> dict[str, Decimal]:
    """What runs of some machines cost that lasted so long."""
    for name, usage in usages.items():
        home.source.put(run(name, "FINISHED", T0, T0 + length_ms, usage=usage))
    home.cycle(T0 + 12 * HOUR)
    with home.services.ledger.read() as view:
        assert verify_ledger(view).ok
        return {name: Decimal(explain(view, name, T0 + 12 * HOUR)["run"]["cost"]) for name in usages}


def test_sagemaker_costs_its_ratio_more_than_ec2(tmp_path: Path, migrated_sqlite: Path) -> None:
    types = [each for group in SAGEMAKER for each in group]
    usages = {each: {"instance_type": each} for name in types for each in (name, f"ml.{name}")}
    with house(config_of(tmp_path, BUDGETS, ""), migrated_sqlite, T0) as home:
        found = costs(home, usages, 7 * HOUR)
    assert [each for each in types if not found[each]] == []
    ratios = {name: ratio for group, ratio in SAGEMAKER.items() for name in group}
    assert {name: found[f"ml.{name}"] / found[name] for name in types} == ratios


@pytest.mark.parametrize(
    ("usage", "an_hour"),
    [
        ({"cpu_request": "500m", "memory_request": "3Gi"}, VCPU / 2 + 3 * GIB),
        ({"cpu_limit": "2", "memory_limit": "1500Mi"}, 2 * VCPU + Decimal(1500) / 1024 * GIB),
        ({"cpu_cores": "0.25", "memory_gb": "16"}, VCPU / 4 + 16 * GIB),
        ({"cpu_request": "1500m", "memory_request": str(2**31), "gpu_count": "2"}, 3 * VCPU / 2 + 2 * GIB + 2 * GPU),
        ({"cpu_request": "8", "memory_request": "64Gi", "cpu_limit": "16"}, 8 * VCPU + 64 * GIB),
    ],
)
def test_kubernetes_quantities_are_what_they_say(
    tmp_path: Path, migrated_sqlite: Path, usage: dict[str, str], an_hour: Decimal
) -> None:
    with house(config_of(tmp_path, BUDGETS, ""), migrated_sqlite, T0) as home:
        found = costs(home, {"pod": usage}, 90 * MINUTE)
    assert abs(found["pod"] - an_hour * Decimal("1.5")) <= Decimal("0.000000002")  # a rounding a part
