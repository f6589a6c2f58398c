"""Whatever the rules and the machine are: lines cover the time, cost adds up, and nothing is negative or forgotten."""

from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise

from hypothesis import given, strategies as st

from alerter.core.charges import MICRO, ChargeLine, Confidence
from alerter.core.money import NANOS
from alerter.core.periods import HOUR_MS
from alerter.core.price_rules import Match, Multiplier, PriceRule, PriceRules, ResourceRates, Term, utc_midnight_ms
from alerter.core.pricing import next_change_ms
from alerter.core.usage import Meter, Problem, Resources
from tests.core.price_tools import BUILTIN, priced

FIRST = date(2026, 11, 1)
DAYS = 12
TYPES = ["m5.xlarge", "ml.m5.xlarge", "p4d.24xlarge", "onprem-1", "x9.huge"]

prices = st.decimals(min_value=0, max_value=1000, places=9, allow_nan=False, allow_infinity=False)
amounts = st.decimals(min_value=0, max_value=5000, places=6, allow_nan=False, allow_infinity=False)
days = st.integers(0, DAYS).map(lambda n: FIRST + timedelta(days=n))
terms = st.builds(Term, st.none() | days, st.none() | days).filter(
    lambda term: term.start is None or term.end is None or term.start < term.end
)
rates = st.builds(
    ResourceRates,
    st.none() | prices,
    st.none() | prices,
    st.lists(st.tuples(st.sampled_from(["T4", "A*", "*"]), prices), max_size=2).map(tuple),
    st.none() | prices,
)
matches = st.sampled_from(
    [
        Match(),
        Match((("instance_type", ("m5.*",)),)),
        Match((("instance_type", ("onprem-*", "p4d.*")),)),
        Match((("tag.team", ("research",)),)),
        Match((("provider", ("databricks",)),)),
    ]
)
rule = st.one_of(
    st.builds(PriceRule, st.just("prices.yaml #1"), matches, per_instance_hour=prices, term=terms),
    st.builds(PriceRule, st.just("prices.yaml #2"), matches, rates=rates, term=terms),
    st.builds(PriceRule, st.just("prices.yaml #3"), matches, per_dbu=prices, term=terms),
)
rule_sets = st.builds(
    PriceRules,
    prices=st.lists(rule, max_size=4).map(tuple),
    resources=rates,
    multipliers=st.lists(st.builds(Multiplier, matches, prices, st.just("a reason"), terms), max_size=3).map(tuple),
    fallback_per_run_hour=st.none() | prices,
)
machines = st.builds(
    Resources,
    instance_type=st.none() | st.sampled_from(TYPES),
    nodes=st.integers(1, 64),
    provider=st.sampled_from([None, "aws", "databricks"]),
    purchase_option=st.sampled_from([None, "spot"]),
    gpu_count=st.none() | amounts,
    gpu_type=st.sampled_from([None, "T4", "NVIDIA A100"]),
    gpu_memory_gib=st.none() | amounts,
    vcpus=st.none() | amounts,
    memory_gib=st.none() | amounts,
    driver_type=st.sampled_from([None, "m5.xlarge", "x9.huge"]),
    dbus=st.none() | amounts,
    problems=st.sampled_from([(), (Problem("gpu_count", "four", "not a number: ignored", "gpu_count"),)]),
)
START = utc_midnight_ms(FIRST) - 7 * HOUR_MS
instants = st.integers(START, START + (DAYS + 1) * 24 * HOUR_MS)
spans = st.tuples(instants, instants).map(sorted).filter(lambda pair: pair[0] < pair[1])
tag_sets = st.sampled_from([{}, {"team": "research"}])


def exact(lines: tuple[ChargeLine, ...]) -> Fraction:
    """Return the cost in nanos without any rounding, times the milliseconds of an hour."""
    held = ((Fraction(line.rate.unit_price), line.quantity * (line.end_ms - line.start_ms)) for line in lines)
    return sum((price * amount for price, amount in held), Fraction(0)) * (NANOS // MICRO)


@given(machines, rule_sets, spans, tag_sets)
def test_lines_are_one_at_a_time_of_each_meter_and_leave_no_time_out(
    resources: Resources, rules: PriceRules, span: list[int], tags: dict[str, str]
) -> None:
    start, end = span
    lines = priced(resources, rules, BUILTIN, start_ms=start, end_ms=end, tags=tags)

    covered = sorted((line.start_ms, line.end_ms) for line in lines if line.meter is not Meter.DBU)
    reached = start
    for since, until in covered:
        assert start <= since < until <= end
        assert since <= reached, "a time without any line"
        reached = max(reached, until)
    assert reached == end
    for meter in Meter:
        held = [line for line in lines if line.meter is meter]
        assert all(before.end_ms <= after.start_ms for before, after in pairwise(held))
        assert all(
            (before.rate, before.quantity) != (after.rate, after.quantity) or before.end_ms < after.start_ms
            for before, after in pairwise(held)
        ), "a line that need not be split"


@given(machines, rule_sets, spans, tag_sets)
def test_no_cost_is_negative_and_only_gaps_lack_a_price(
    resources: Resources, rules: PriceRules, span: list[int], tags: dict[str, str]
) -> None:
    for line in priced(resources, rules, BUILTIN, start_ms=span[0], end_ms=span[1], tags=tags):
        gap = line.rate.confidence is Confidence.GAP
        assert line.cost_nanos >= 0
        assert line.quantity > 0
        assert "E" not in line.rate.unit_price
        assert gap == (line.rate.rule == "gap")
        assert not gap or (line.rate.unit_price == "0" and line.rate.note)


@given(machines, rule_sets, spans, st.data(), tag_sets)
def test_an_interval_priced_in_two_halves_is_the_whole(
    resources: Resources, rules: PriceRules, span: list[int], data: st.DataObject, tags: dict[str, str]
) -> None:
    start, end = span
    cut = data.draw(st.integers(start, end))
    whole = priced(resources, rules, BUILTIN, start_ms=start, end_ms=end, tags=tags)
    halves = (
        *priced(resources, rules, BUILTIN, start_ms=start, end_ms=cut, tags=tags),
        *priced(resources, rules, BUILTIN, start_ms=cut, end_ms=end, tags=tags),
    )

    assert exact(halves) == exact(whole)
    for line in whole:
        until = min(max(cut, line.start_ms), line.end_ms)
        held = Fraction(line.rate.unit_price) * line.quantity * (until - line.start_ms) / (MICRO * HOUR_MS)
        assert abs(line.cost_until(cut) - held * NANOS) <= Fraction(1, 2)
        assert 0 <= line.cost_until(cut) <= line.cost_nanos


@given(machines, rule_sets, instants, tag_sets)
def test_nothing_changes_before_the_next_change(
    resources: Resources, rules: PriceRules, at: int, tags: dict[str, str]
) -> None:
    change = next_change_ms(rules, at)
    until = at + 24 * 400 * HOUR_MS if change is None else change
    lines = priced(resources, rules, BUILTIN, start_ms=at, end_ms=until, tags=tags)

    assert {(line.start_ms, line.end_ms) for line in lines} == {(at, until)}
    assert len({line.meter for line in lines}) == len(lines)
