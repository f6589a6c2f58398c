"""A total that a run logged is spread over its time: whatever its segments, the shares sum to it."""

from decimal import Decimal

import pytest
from hypothesis import given, strategies as st

from alerter.core.charges import TOTAL, ChargeLine, Rate, burn, cost_between
from alerter.core.logged_cost import LARGEST, cost_keys, logged_total, read_cost, spread, total_lines
from alerter.core.price_rules import LoggedCost
from alerter.core.usage import Meter
from tests.core.price_tools import HOUR, machine, priced

RATE = Rate(Meter.LOGGED, "1", "1", TOTAL, "USD", "logged cost_usd")
NANOS = 10**9


@pytest.mark.parametrize(
    ("text", "cost"),
    [
        ("12.34", "12.34"),
        (" 1e-05 ", "0.00001"),
        ("0", "0"),
        ("-0.0", "0"),
        ("0.1", "0.1"),
        (str(LARGEST), str(LARGEST)),
        ("100000000.01", None),
        ("-1", None),
        ("NaN", None),
        ("Infinity", None),
        ("1e400", None),
        ("$12", None),
        ("", None),
        ("1" * 65, None),
    ],
)
def test_what_counts_as_a_cost(text: str, cost: str | None) -> None:
    assert read_cost(text) == (None if cost is None else Decimal(cost))


def test_metrics_are_believed_before_tags_and_unreadable_ones_are_passed_over() -> None:
    names = LoggedCost(("total_usd", "cost_usd"), ("cost_usd",))
    assert cost_keys(names) == ("metric.total_usd", "metric.cost_usd", "tag.cost_usd")
    found = logged_total((("metric.cost_usd", "2"), ("tag.cost_usd", "3")), names, "USD")
    assert found == (RATE, 2 * NANOS)
    found = logged_total((("metric.cost_usd", "NaN"), ("tag.cost_usd", "3")), names, "EUR")
    assert found is not None
    assert (found[0].rule, found[0].currency, found[1]) == ("logged tag cost_usd", "EUR", 3 * NANOS)
    assert logged_total((("tag.other", "3"),), names, "USD") is None
    assert logged_total((), names, "USD") is None


def test_a_cost_that_is_no_number_makes_the_estimate_doubtful() -> None:
    (line,) = priced(machine(instance_type="m5.xlarge", **{"logged_cost.metric.cost_usd": "NaN"}))
    assert (line.rate.confidence, line.rate.note) == (
        "low",
        "region assumed: us-east-1; metric.cost_usd: not a cost: estimated",
    )
    parts = priced(machine(cpu_cores="8", **{"logged_cost.tag.cost_usd": "-3"}))
    assert [line.rate.confidence for line in parts] == ["low"]


def test_what_a_total_grew_by_belongs_to_the_time_since() -> None:
    first, second = (0, 10 * HOUR), (20 * HOUR, 30 * HOUR)
    assert spread(40, [first], None, 0, {}) == ({first: 40}, 0)
    assert spread(100, [first], 20 * HOUR, 25 * HOUR, {first: 40}) == ({first: 40}, 60)
    assert spread(100, [first, second], None, 0, {first: 40}) == ({first: 40, second: 60}, 0)
    assert spread(100, [first, second], None, 0, {first: 40, second: 60}) == ({first: 40, second: 60}, 0)


def test_a_total_that_shrank_or_came_late_is_spread_evenly_over_all_of_the_time() -> None:
    first, second = (0, 10 * HOUR), (20 * HOUR, 40 * HOUR)
    assert spread(30, [first], 20 * HOUR, 40 * HOUR, {first: 40}) == ({first: 10}, 20)
    assert spread(60, [first, second], None, 0, {first: 40, second: 60}) == ({first: 20, second: 40}, 0)
    assert spread(60, [first, second], None, 0, {}) == ({first: 20, second: 40}, 0)


segments = (
    st.lists(st.integers(1, 10**9), min_size=2, max_size=8, unique=True)
    .map(sorted)
    .map(lambda at: list(zip(at[::2], at[1::2], strict=False)))
)


@given(segments, st.integers(0, 10**17), st.data())
def test_shares_and_days_sum_to_the_total(settled: list[tuple[int, int]], total: int, data: st.DataObject) -> None:
    opened = data.draw(st.sampled_from([None, settled[-1][1], settled[-1][1] + 5000]))
    standing = data.draw(st.dictionaries(st.sampled_from(settled), st.integers(0, 10**17)))
    now = settled[-1][1] + data.draw(st.integers(0, 10**6))
    shares, accrued = spread(total, settled, opened, now, standing)
    assert sum(shares.values()) + accrued == total
    assert min([*shares.values(), accrued]) >= 0
    assert set(shares) == set(settled)
    assert spread(total, settled, opened, now, shares) == (shares, accrued)
    for line in total_lines(RATE, shares):
        assert line.cost_nanos == shares[line.start_ms, line.end_ms]
        _parts_sum(line, data)


def _parts_sum(line: ChargeLine, data: st.DataObject) -> None:
    span = (line.start_ms, line.end_ms)
    cut = data.draw(st.integers(*span))
    for sign in (1, -1):
        parts = [cost_between(line.rate, sign * line.quantity, span, part) for part in ((span[0], cut), (cut, span[1]))]
        assert sum(parts) == sign * line.cost_nanos


def test_the_burn_of_a_total_is_its_mean_so_far() -> None:
    assert burn(RATE, 90, (0, 3 * HOUR)) == 30
    assert burn(RATE, 90, (5, 5)) == 0
