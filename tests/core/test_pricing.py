from dataclasses import replace
from decimal import Decimal

import pytest

from alerter.core.charges import Confidence
from alerter.core.money import CurrencyMismatchError
from alerter.core.price_rules import PriceRule, PriceRules, ResourceRates
from alerter.core.usage import Meter
from tests.core.price_tools import (
    HOUR,
    NOON,
    FixedBook,
    dollars,
    machine,
    match,
    priced,
    row,
    told,
)


def test_four_workers_cost_the_instances_price_and_nothing_for_their_gpus() -> None:
    lines = priced(machine(instance_type="m5.xlarge", num_workers="4", gpu_count="1"))

    assert told(lines) == [(Meter.MACHINE, 4, "0.192", "node-hour")]
    assert lines[0].rate.rule == "builtin aws us-east-1 m5.xlarge on_demand"
    assert lines[0].rate.as_of == "2026-07-20"
    assert lines[0].rate.confidence is Confidence.HIGH
    assert lines[0].rate.note == "region assumed: us-east-1"
    assert dollars(lines) == Decimal("0.768")


def test_one_p4d_costs_its_list_price() -> None:
    assert dollars(priced(machine(instance_type="p4d.24xlarge", region="us-east-1"))) == Decimal("21.957642")


def test_parts_add_up_where_no_machine_is_named() -> None:
    lines = priced(machine(cpu_cores="8", gpu_memory_gb="16", memory_request="32Gi"))

    assert told(lines) == [
        (Meter.VCPU, 8, "0.031611", "vcpu-hour"),
        (Meter.GIB, 32, "0.004237", "gib-hour"),
        (Meter.GPU, 16, "0.04", "gpu-gib-hour"),
    ]
    assert {line.rate.confidence for line in lines} == {Confidence.HIGH}
    assert lines[2].rate.rule == "resources per_gpu_gib_hour"


@pytest.mark.parametrize(
    ("logged", "gpus"),
    [
        ({"gpu_count": "2"}, (2, "0.95", "gpu-hour")),
        ({"gpu_count": "2", "gpu_memory_gb": "80"}, (2, "0.95", "gpu-hour")),
        ({"gpu_type": "T4"}, (1, "0.35", "gpu-hour")),
        ({"gpu_type": "NVIDIA Tesla T4", "gpu_count": "4"}, (4, "0.35", "gpu-hour")),
        ({"gpu_type": "H100", "gpu_count": "500m"}, (Decimal("0.5"), "0.95", "gpu-hour")),
        ({"gpu_memory_gb": "80"}, (80, "0.04", "gpu-gib-hour")),
    ],
)
def test_gpus_are_counted_before_their_memory(logged: dict[str, str], gpus: tuple[object, ...]) -> None:
    assert told(priced(machine(**logged))) == [(Meter.GPU, *gpus)]


def test_gpu_memory_without_a_price_is_one_gpu_with_low_confidence() -> None:
    rules = PriceRules(resources=ResourceRates(per_gpu_hour=(("*", Decimal("0.95")),)))
    (line,) = priced(machine(gpu_memory_gb="80"), rules)

    assert (line.quantity, line.rate.unit_price, line.rate.confidence) == (1_000_000, "0.95", Confidence.LOW)
    assert "counted as one GPU" in line.rate.note


def test_nothing_logged_is_a_gap_that_says_so() -> None:
    (line,) = priced(machine())

    assert (line.meter, line.cost_nanos, line.quantity) == (Meter.MACHINE, 0, 1_000_000)
    assert (line.rate.confidence, line.rate.rule, line.rate.unit_price) == (Confidence.GAP, "gap", "0")
    assert line.rate.note == "no instance_type, GPU, CPU or memory logged"


def test_zero_of_everything_is_a_gap_too() -> None:
    (line,) = priced(machine(gpu_count="0", cpu_cores="0", gpu_memory_gb="0"))

    assert line.rate.confidence is Confidence.GAP


def test_an_unknown_type_is_a_gap_that_names_it() -> None:
    (line,) = priced(machine(instance_type="x9.huge", num_nodes="3", region="eu-west-1", spot="true"))

    assert (line.rate.confidence, line.quantity) == (Confidence.GAP, 3_000_000)
    assert line.rate.note == "no price for instance type x9.huge in aws eu-west-1 spot"


def test_an_unknown_type_is_priced_by_its_parts_with_low_confidence() -> None:
    lines = priced(machine(instance_type="x9.huge", gpu_count="2", cpu_cores="8"))

    assert [line.meter for line in lines] == [Meter.VCPU, Meter.GPU]
    assert {line.rate.confidence for line in lines} == {Confidence.LOW}
    assert all("x9.huge" in line.rate.note for line in lines)


def test_each_part_without_a_price_is_a_gap_of_its_own() -> None:
    rules = PriceRules(resources=ResourceRates(per_vcpu_hour=Decimal("0.03")))
    lines = priced(machine(cpu_cores="8", memory_gb="16", gpu_count="1"), rules)

    assert [(line.meter, line.rate.confidence) for line in lines] == [
        (Meter.VCPU, Confidence.HIGH),
        (Meter.GIB, Confidence.GAP),
        (Meter.GPU, Confidence.GAP),
    ]
    assert [line.rate.note for line in lines[1:]] == [
        "no per_gib_hour price in resources",
        "no per_gpu_hour * price in resources",
    ]


def test_an_unreadable_part_is_a_gap_beside_the_readable_ones() -> None:
    lines = priced(machine(cpu_cores="8", gpu_count="four"))

    assert [(line.meter, line.rate.confidence) for line in lines] == [
        (Meter.VCPU, Confidence.HIGH),
        (Meter.GPU, Confidence.GAP),
    ]
    assert lines[1].rate.note == "gpu_count: not a number: ignored"


def test_an_unreadable_number_of_nodes_lowers_the_confidence_in_one_node() -> None:
    (line,) = priced(machine(instance_type="m5.xlarge", num_workers="four", region="us-east-1"))

    assert (line.quantity, line.rate.confidence) == (1_000_000, Confidence.LOW)
    assert line.rate.note == "num_workers: not a number: ignored"


def test_parts_of_several_nodes_are_taken_as_the_total_and_doubted() -> None:
    (line,) = priced(machine(num_nodes="4", cpu_cores="8"))

    assert (line.quantity, line.rate.confidence) == (8_000_000, Confidence.LOW)
    assert "total of 4 nodes" in line.rate.note


def test_the_fallback_prices_what_nothing_else_does_and_is_off_by_default() -> None:
    rules = PriceRules(fallback_per_run_hour=Decimal("0.50"))
    (line,) = priced(machine(instance_type="x9.huge", num_nodes="3"), rules)

    assert (line.meter, line.quantity, line.rate.pricing_unit) == (Meter.MACHINE, 1_000_000, "run-hour")
    assert (line.rate.rule, line.rate.confidence) == ("fallback", Confidence.LOW)
    assert "x9.huge" in line.rate.note
    assert dollars(priced(machine(cpu_cores="1"), rules)) == Decimal("0.031611"), "a priced part needs no fallback"


@pytest.mark.parametrize(
    ("logged", "price", "confidence", "note"),
    [
        ({"region": "us-east-1"}, "0.192", Confidence.HIGH, ""),
        ({"region": "eu-west-1"}, "0.21", Confidence.HIGH, ""),
        ({"region": "ap-south-1"}, "0.192", Confidence.LOW, "priced as us-east-1"),
        ({}, "0.192", Confidence.HIGH, "region assumed: us-east-1"),
        ({"region": "us-east-1", "spot": "true"}, "0.07", Confidence.HIGH, ""),
        ({"region": "eu-west-1", "spot": "true"}, "0.21", Confidence.LOW, "no spot price: priced as on_demand"),
        ({"region": "us-east-1", "provider": "gcp"}, "0.192", Confidence.LOW, "priced as aws us-east-1"),
        (
            {"region": "us-east-1", "purchase_option": "reserved"},
            "0.192",
            Confidence.LOW,
            "no reserved price: priced as on_demand",
        ),
    ],
)
def test_the_nearest_price_stands_in_and_says_so(
    logged: dict[str, str], price: str, confidence: Confidence, note: str
) -> None:
    book = FixedBook(
        [
            row("0.21", "aws eu-west-1 m5.xlarge on_demand"),
            row("0.07", "aws us-east-1 m5.xlarge spot"),
            row("0.192", "aws us-east-1 m5.xlarge on_demand"),
        ]
    )
    (line,) = priced(machine(instance_type="m5.xlarge", **logged), books=[book])

    assert (line.rate.unit_price, line.rate.confidence, line.rate.note) == (price, confidence, note)


@pytest.mark.parametrize(
    ("logged", "confidence", "note"),
    [
        ({"region": "East US"}, Confidence.HIGH, ""),
        ({"provider": "azure"}, Confidence.LOW, "priced as eastus"),
        ({}, Confidence.LOW, "priced as azure eastus"),
    ],
)
def test_a_type_of_another_cloud_than_the_default_is_found(
    logged: dict[str, str], confidence: Confidence, note: str
) -> None:
    (line,) = priced(machine(instance_type="standard_nc6s_v3", **logged))

    assert (line.rate.unit_price, line.rate.confidence, line.rate.note) == ("3.06", confidence, note)


def test_an_exact_price_in_a_later_catalog_beats_a_near_one_in_the_first() -> None:
    contract = FixedBook([row("0.11", "aws eu-west-1 m5.xlarge on_demand", "contract")], "contract")
    list_prices = FixedBook([row("0.192")])
    here, there = machine(instance_type="m5.xlarge"), machine(instance_type="m5.xlarge", region="eu-west-1")

    assert priced(here, books=[contract, list_prices])[0].rate.unit_price == "0.192"
    assert priced(there, books=[list_prices, contract])[0].rate.unit_price == "0.11"
    dear = FixedBook([row("0.5", catalog="dear")], "dear")
    assert priced(here, books=[dear, list_prices])[0].rate.rule == "dear aws us-east-1 m5.xlarge on_demand"


def test_a_catalog_in_another_currency_is_refused() -> None:
    with pytest.raises(CurrencyMismatchError, match="catalog contract is in EUR"):
        priced(machine(instance_type="m5.xlarge"), books=[FixedBook([], "contract", "EUR")])


def test_databricks_is_dbus_beside_the_virtual_machine() -> None:
    jobs = PriceRule("prices.yaml #3", match(provider="databricks", tag_sku="JOBS*"), per_dbu=Decimal("0.15"))
    rules = PriceRules(prices=(jobs,))
    resources = machine(instance_type="m5.xlarge", provider="databricks", dbus="2.5", num_nodes="2")
    lines = priced(resources, rules, tags={"sku": "JOBS_COMPUTE"})

    assert told(lines) == [(Meter.MACHINE, 2, "0.192", "node-hour"), (Meter.DBU, Decimal("2.5"), "0.15", "dbu")]
    assert [line.rate.confidence for line in lines] == [Confidence.HIGH, Confidence.HIGH]
    (_, unpriced) = priced(resources, rules, tags={"sku": "SQL"})
    assert unpriced.rate.note == "no per_dbu price in prices.yaml"
    (_, uncounted) = priced(replace(resources, dbus=None), rules, tags={"sku": "JOBS"})
    assert uncounted.rate.note == "prices.yaml #3 has a per_dbu price, but no dbus (per hour) are logged"


def test_a_driver_of_another_type_is_one_machine_beside_the_workers() -> None:
    resources = replace(machine(instance_type="m5.xlarge", num_nodes="8"), driver_type="r5.large")

    assert told(priced(resources)) == [
        (Meter.MACHINE, 8, "0.192", "node-hour"),
        (Meter.DRIVER, 1, "0.126", "node-hour"),
    ]
    gap = priced(replace(resources, driver_type="r9.huge"))[1]
    assert (gap.meter, gap.rate.confidence) == (Meter.DRIVER, Confidence.GAP)
    assert "r9.huge" in gap.rate.note


def test_an_empty_interval_has_no_lines() -> None:
    assert priced(machine(), start_ms=NOON, end_ms=NOON) == ()
    assert priced(machine(), start_ms=NOON, end_ms=NOON - HOUR) == ()
