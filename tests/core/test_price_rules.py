from decimal import Decimal

import pytest

from alerter.core.charges import Confidence
from alerter.core.price_lookup import gpu_names
from alerter.core.price_rules import DeriveRule, Match, Multiplier, PriceRules, ResourceRates, rate_for
from alerter.core.pricing import next_change_ms
from alerter.core.usage import Meter
from tests.core.price_tools import (
    HOUR,
    dollars,
    instance_rule,
    machine,
    match,
    ms,
    part_rule,
    priced,
    term,
    told,
)

ONPREM = ResourceRates(Decimal("0.02"), Decimal("0.003"), (("A100*", Decimal("1.10")), ("*", Decimal("0.60"))))


def test_a_p4d_costs_its_old_price_until_the_utc_midnight_of_the_change() -> None:
    old = instance_rule("32.7726", "", "2025-06-01", instance_type="p4d.24xlarge")
    rules = PriceRules(prices=(old,))
    change = ms("2025-06-01")
    lines = priced(machine(instance_type="p4d.24xlarge"), rules, start_ms=change - 2 * HOUR, end_ms=change + HOUR)

    assert [(line.start_ms, line.end_ms, line.rate.unit_price) for line in lines] == [
        (change - 2 * HOUR, change, "32.7726"),
        (change, change + HOUR, "21.957642"),
    ]
    assert dollars(lines) == 2 * Decimal("32.7726") + Decimal("21.957642")
    assert next_change_ms(rules, change - 1) == change
    assert next_change_ms(rules, change) is None


def test_dates_of_rules_that_dont_apply_split_nothing() -> None:
    other = instance_rule("9", "2026-11-23", "2026-11-24", instance_type="p5.*")
    start, end = ms("2026-11-22"), ms("2026-11-25")
    (line,) = priced(machine(instance_type="m5.xlarge"), PriceRules(prices=(other,)), start_ms=start, end_ms=end)

    assert (line.start_ms, line.end_ms) == (start, end)


def test_the_first_price_that_matches_decides() -> None:
    rules = PriceRules(prices=(instance_rule("1", instance_type="m5.*"), instance_rule("2", instance_type="*")))

    assert priced(machine(instance_type="M5.xlarge"), rules)[0].rate.unit_price == "1"
    assert priced(machine(instance_type="c5.large"), rules)[0].rate.unit_price == "2"
    assert priced(machine(cpu_cores="1"), rules)[0].meter is Meter.VCPU, "no type is not any type"


def test_machines_of_ones_own_cost_what_their_parts_do() -> None:
    rules = PriceRules(prices=(part_rule(ONPREM, instance_type="onprem-*"),))
    lines = priced(machine(instance_type="onprem-7", gpu_count="2", gpu_type="a100-80gb", cpu_cores="32"), rules)

    assert told(lines) == [(Meter.VCPU, 32, "0.02", "vcpu-hour"), (Meter.GPU, 2, "1.1", "gpu-hour")]
    assert {line.rate.confidence for line in lines} == {Confidence.HIGH}
    assert lines[1].rate.rule == "prices.yaml #2 per_gpu_hour A100*"


def test_a_rule_that_prices_parts_needs_parts() -> None:
    (line,) = priced(
        machine(instance_type="onprem-7"), PriceRules(prices=(part_rule(ONPREM, instance_type="onprem-*"),))
    )

    assert (line.rate.confidence, line.rate.note) == (Confidence.GAP, "prices.yaml #2 prices parts, and none is logged")


def test_a_part_that_the_machines_own_rule_leaves_out_is_a_gap_not_a_general_rate() -> None:
    rates = ResourceRates(per_gpu_hour=(("A100*", Decimal(1)),))
    lines = priced(
        machine(instance_type="onprem-7", gpu_type="T4", memory_gb="4"),
        PriceRules(prices=(part_rule(rates, instance_type="onprem-*"),)),
    )

    assert [(line.meter, line.rate.note) for line in lines] == [
        (Meter.GIB, "no per_gib_hour price in prices.yaml #2"),
        (Meter.GPU, "no per_gpu_hour T4 price in prices.yaml #2"),
    ]


def test_a_price_of_zero_is_a_price() -> None:
    (line,) = priced(machine(instance_type="ours"), PriceRules(prices=(instance_rule("0", instance_type="ours"),)))

    assert (line.rate.confidence, line.rate.unit_price) == (Confidence.HIGH, "0")


@pytest.mark.parametrize(
    ("sagemaker", "ec2", "ratio"),
    [
        ("ml.t3.large", "t3.large", "1.20"),
        ("ml.m5.xlarge", "m5.xlarge", "1.20"),
        ("ml.c5.2xlarge", "c5.2xlarge", "1.20"),
        ("ml.g4dn.xlarge", "g4dn.xlarge", "1.40"),
        ("ml.g5.xlarge", "g5.xlarge", "1.40"),
        ("ml.g5.12xlarge", "g5.12xlarge", "1.25"),
        ("ml.g6.4xlarge", "g6.4xlarge", "1.25"),
        ("ml.p4d.24xlarge", "p4d.24xlarge", "1.15"),
        ("ml.p5.48xlarge", "p5.48xlarge", "1.15"),
    ],
)
def test_sagemaker_is_derived_from_ec2(sagemaker: str, ec2: str, ratio: str) -> None:
    (base,) = priced(machine(instance_type=ec2))
    (line,) = priced(machine(instance_type=sagemaker))

    assert Decimal(line.rate.unit_price) == Decimal(base.rate.unit_price) * Decimal(ratio)
    assert line.rate.rule == f"derived {sagemaker} = builtin aws us-east-1 {ec2} on_demand x {ratio}"


def test_a_derived_type_follows_dated_prices_of_its_base() -> None:
    rules = PriceRules(prices=(instance_rule("2", "", "2026-11-23", instance_type="g5.xlarge"),))
    start, end = ms("2026-11-22"), ms("2026-11-24")
    lines = priced(machine(instance_type="ml.g5.xlarge"), rules, start_ms=start, end_ms=end)

    assert [line.rate.unit_price for line in lines] == ["2.8", "1.4084"]
    assert lines[0].rate.rule == "derived ml.g5.xlarge = prices.yaml #1 x 1.40"


def test_a_derived_type_without_a_base_is_a_gap_under_its_own_name() -> None:
    (line,) = priced(machine(instance_type="ml.m5.enormous"))

    assert line.rate.note == "no price for instance type ml.m5.enormous in aws us-east-1"


def test_derivation_never_goes_round_in_circles() -> None:
    rule = DeriveRule(match(instance_type="*"), "a", Decimal(2))

    assert priced(machine(instance_type="aaa"), PriceRules(derive=(rule,)))[0].rate.confidence is Confidence.GAP


def test_multipliers_apply_together_each_in_its_days() -> None:
    rules = PriceRules(
        multipliers=(
            Multiplier(match(tag_team="research"), Decimal("0.82"), "enterprise discount", term("2026-11-23")),
            Multiplier(match(provider="aws"), Decimal("1.1"), ""),
        )
    )
    start, end = ms("2026-11-22"), ms("2026-11-24")
    lines = priced(machine(instance_type="m5.xlarge"), rules, start_ms=start, end_ms=end, tags={"team": "research"})

    assert [line.rate.unit_price for line in lines] == ["0.2112", "0.173184"]
    assert [line.rate.list_unit_price for line in lines] == ["0.192", "0.192"]
    assert lines[1].rate.rule.endswith("m5.xlarge on_demand x 0.82 (enterprise discount) x 1.1")
    assert [
        line.rate.unit_price for line in priced(machine(instance_type="m5.xlarge"), rules, start_ms=start, end_ms=end)
    ] == ["0.2112"]


def test_tags_are_matched_as_budgets_match_them() -> None:
    rules = PriceRules(multipliers=(Multiplier(match(tag_team="res*"), Decimal("0.5"), ""),))

    for text, price in (("research", "0.096"), ("Research", "0.192"), ("", "0.192")):
        assert priced(machine(instance_type="m5.xlarge"), rules, tags={"team": text})[0].rate.unit_price == price
    assert priced(machine(instance_type="m5.xlarge"), rules)[0].rate.unit_price == "0.192"
    assert rules.tag_keys == {"team"}


def test_prices_below_a_nano_and_above_a_float_stay_exact() -> None:
    rules = PriceRules(
        prices=(instance_rule("123456789.000000000000000001", instance_type="x"),),
        multipliers=(Multiplier(Match(), Decimal("0.000000000000000001"), ""),),
    )

    assert priced(machine(instance_type="x"), rules)[0].rate.unit_price == "0.000000000123456789000000000000000001"


def test_names_of_gpus() -> None:
    assert gpu_names("NVIDIA-A100-SXM4-80GB") == ("NVIDIA-A100-SXM4-80GB", "A100-SXM4-80GB")
    assert gpu_names("Tesla") == ("Tesla",)
    assert rate_for((("A100*", Decimal(1)),), gpu_names("nvidia a100")) == ("A100*", Decimal(1))
    assert rate_for((("T4", Decimal(1)),), [""]) is None
