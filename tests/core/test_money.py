"""Money: rounding half to even, limits, words."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from alerter.core.charges import ChargeLine, Rate, accrued
from alerter.core.money import (
    MAX_NANOS,
    CurrencyMismatchError,
    Money,
    MoneyError,
    check_currency,
    div_half_even,
    from_nanos,
    human,
    parse_decimal,
    plain,
    to_nanos,
)
from alerter.core.usage import Meter


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**20))
def test_division_rounds_half_to_even(numerator: int, denominator: int) -> None:
    assert div_half_even(numerator, denominator) == round(Fraction(numerator, denominator))


@pytest.mark.parametrize(("halves", "rounded"), [(1, 0), (3, 2), (5, 2), (7, 4), (-1, 0), (-3, -2), (-5, -2)])
def test_ties_go_to_the_even_one(halves: int, rounded: int) -> None:
    assert div_half_even(halves, 2) == rounded
    assert to_nanos(Decimal(halves).scaleb(-9) / 2) == rounded


@given(st.integers(-MAX_NANOS + 1, MAX_NANOS - 1))
def test_nanos_survive_decimals_and_text(nanos: int) -> None:
    assert to_nanos(from_nanos(nanos)) == nanos
    assert to_nanos(Decimal(plain(nanos))) == nanos


@pytest.mark.parametrize("text", ["1e30", "9223372036.854775807", "-1e10", "NaN", "Infinity", "-Infinity"])
def test_what_does_not_fit_is_refused(text: str) -> None:
    with pytest.raises(MoneyError):
        to_nanos(Decimal(text))


def test_the_largest_amount_fits() -> None:
    assert to_nanos(Decimal("9223372036.854775806")) == MAX_NANOS - 1


@pytest.mark.parametrize("text", ["", "four", "1,000", "$5", "1.2.3", "nan", "inf", "-inf", "--1", "0x10"])
def test_text_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(MoneyError):
        parse_decimal(text)


@pytest.mark.parametrize(
    ("text", "value"), [(" 12.50 ", "12.50"), ("1e3", "1000"), ("-0.1", "-0.1"), ("0.000000000001", "1e-12")]
)
def test_text_that_is_one_is_exact(text: str, value: str) -> None:
    assert parse_decimal(text) == Decimal(value)


@pytest.mark.parametrize(
    ("nanos", "text"),
    [
        (0, "0.00"),
        (1, "0.000000001"),
        (-1, "-0.000000001"),
        (812_400_000_000, "812.40"),
        (-1_500_000_000, "-1.50"),
        (MAX_NANOS, "9223372036.854775807"),
    ],
)
def test_plain(nanos: int, text: str) -> None:
    assert plain(nanos) == text


@pytest.mark.parametrize(
    ("nanos", "text"),
    [
        (9_740_000_000_000, "$9,740"),
        (88_250_000_000, "$88.25"),
        (99_994_999_999, "$99.99"),
        (100_500_000_000, "$100"),
        (101_500_000_000, "$102"),
        (0, "$0.00"),
        (5_000_001, "$0.01"),
        (-5_000_000, "-$0.0050"),
        (4_237_000, "$0.0042"),
        (9, "$0.0000000090"),
        (-1_230_000_000, "-$1.23"),
    ],
)
def test_human(nanos: int, text: str) -> None:
    assert human(nanos, "USD") == text


def test_other_currencies_are_named() -> None:
    assert [human(10**9, code) for code in ("EUR", "GBP", "SEK")] == ["€1.00", "£1.00", "1.00 SEK"]
    assert human(10**12, "USD", cents=True) == "$1,000.00"


@pytest.mark.parametrize("code", ["usd", "US", "USDT", "", "U$D"])
def test_a_currency_is_three_capitals(code: str) -> None:
    with pytest.raises(MoneyError):
        check_currency(code)


def test_two_currencies_do_not_meet() -> None:
    assert Money(1, "USD") + Money(2, "USD") == Money(3, "USD")
    for mix in (Money.__add__, Money.__sub__, Money.__lt__, Money.__le__):
        with pytest.raises(CurrencyMismatchError):
            mix(Money(1, "USD"), Money(1, "EUR"))


prices = st.decimals(0, 1000, places=14, allow_nan=False, allow_infinity=False)


@given(prices, st.integers(1, 10**11), st.integers(0, 10**11), st.lists(st.integers(0, 10**11), max_size=6))
def test_parts_of_a_charge_sum_to_it_and_it_is_rounded_once(
    price: Decimal, quantity: int, length: int, cuts: list[int]
) -> None:
    text = f"{price:f}"
    line = ChargeLine(Rate(Meter.GPU, text, text, "gpu-hour", "USD", ""), quantity, 5, 5 + length)
    exact = Fraction(text) * quantity * length * 10**9 / (10**6 * 3_600_000)
    assert line.cost_nanos == round(exact)
    edges = [5, *sorted(5 + cut % (length + 1) for cut in cuts), 5 + length]
    parts = [line.cost_until(b) - line.cost_until(a) for a, b in pairwise(edges)]
    assert sum(parts) == line.cost_nanos
    assert min(parts) >= 0


def test_nothing_accrues_backwards() -> None:
    assert accrued("5", 10**6, 100, 50) == 0
