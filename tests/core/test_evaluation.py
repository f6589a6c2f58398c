"""Which alerts fire, resolve and re-open, given what is spent."""

from __future__ import annotations

import pytest

from alerter.core.budgets import Basis, Threshold
from alerter.core.evaluation import AlertKey, Level, due_thresholds, evaluate, next_threshold, percent_floor

ACTUAL = [Threshold(Basis.ACTUAL, 80), Threshold(Basis.ACTUAL, 100)]
FORECAST = Threshold(Basis.FORECAST, 100)


def changes(
    spent: int,
    firing: tuple[int, ...] = (),
    resolved: tuple[int, ...] = (),
    *,
    amount: int = 1000,
    beyond: int = 25,
) -> list[tuple[str, int]]:
    found = evaluate(
        ACTUAL,
        beyond,
        Level(amount, spent, None),
        firing=[AlertKey(Basis.ACTUAL, each) for each in firing],
        resolved=[AlertKey(Basis.ACTUAL, each) for each in resolved],
    )
    return [(each.change.value, each.threshold.percent) for each in found]


@pytest.mark.parametrize(
    ("spent", "wanted"),
    [
        (0, []),
        (799, []),
        (800, [80]),
        (999, [80]),
        (1000, [80, 100]),
        (1249, [80, 100]),
        (1250, [80, 100, 125]),
        (2000, [80, 100, 125, 150, 175, 200]),
    ],
)
def test_due_thresholds(spent: int, wanted: list[int]) -> None:
    assert changes(spent) == [("fire", each) for each in wanted]
    assert changes(spent, firing=tuple(wanted)) == []


def test_a_raised_amount_resolves_and_repeats_nothing() -> None:
    assert changes(1000, (80, 100), amount=1100) == [("resolve", 100)]
    assert changes(1000, (80, 100), amount=2000) == [("resolve", 80), ("resolve", 100)]
    assert changes(1100, (80,), (100,), amount=1100) == [("reopen", 100)]


def test_a_lowered_amount_fires() -> None:
    assert changes(700, amount=700) == [("fire", 80), ("fire", 100)]


def test_a_threshold_that_was_taken_out_stays_until_it_is_below() -> None:
    assert changes(950, (80, 90)) == []
    assert changes(850, (80, 90)) == [("resolve", 90)]


def test_beyond_can_be_off_and_needs_a_hundred_percent() -> None:
    assert changes(5000, beyond=0) == [("fire", 80), ("fire", 100)]
    below = evaluate([Threshold(Basis.ACTUAL, 80)], 25, Level(100, 500, None), firing=(), resolved=())
    assert [each.threshold.percent for each in below] == [80]


def test_beyond_tells_at_most_forty_steps_of_a_tiny_budget() -> None:
    found = [percent for _, percent in changes(10**9, amount=1)]
    assert len(found) == 42
    assert found[-1] == 10**11
    assert found[-40] == 10**11 - 39 * 25


def test_beyond_keeps_the_highest_thresholds_receivers() -> None:
    top = Threshold(Basis.ACTUAL, 100, ("oncall",), "@ml")
    found = due_thresholds([top], 25, Level(100, 130, None))
    assert found == [top, Threshold(Basis.ACTUAL, 125, ("oncall",), "@ml")]


@pytest.mark.parametrize(
    ("forecast", "firing", "wanted"),
    [
        (None, False, []),
        (999, False, []),
        (1000, False, ["fire"]),
        (1000, True, []),
        (999, True, ["resolve"]),
        (None, True, []),  # unknown is not below
    ],
)
def test_a_forecast_has_no_hysteresis(forecast: int | None, firing: bool, wanted: list[str]) -> None:  # noqa: FBT001
    keys = [AlertKey(Basis.FORECAST, 100)] if firing else []
    found = evaluate([FORECAST], 25, Level(1000, 10, forecast), firing=keys, resolved=())
    assert [each.change.value for each in found] == wanted


def test_transitions_are_sorted_so_that_the_last_one_is_the_highest() -> None:
    found = evaluate([FORECAST, *reversed(ACTUAL)], 25, Level(100, 130, 200), firing=(), resolved=())
    order = [(each.threshold.basis.value, each.threshold.percent) for each in found]
    assert order == [("actual", 80), ("actual", 100), ("actual", 125), ("forecast", 100)]


@pytest.mark.parametrize(("spent", "wanted"), [(0, 80), (800, 100), (1000, 125), (1249, 125), (1250, 150), (3010, 325)])
def test_next_threshold(spent: int, wanted: int) -> None:
    assert next_threshold(ACTUAL, 25, Level(1000, spent, None)) == wanted


def test_next_threshold_may_be_none() -> None:
    assert next_threshold(ACTUAL, 0, Level(1000, 1000, None)) is None
    assert next_threshold([FORECAST], 25, Level(1000, 1000, None)) is None
    eighty = [Threshold(Basis.ACTUAL, 80)]  # nothing goes beyond one below 100 %, and nothing says that it will
    assert next_threshold(eighty, 25, Level(1000, 900, None)) is None
    assert due_thresholds(eighty, 25, Level(1000, 1100, None)) == eighty


def test_percent_is_rounded_down() -> None:
    assert [percent_floor(part, 10_000) for part in (9_999, 10_000, 0)] == [99, 100, 0]
    assert percent_floor(5, 0) == 0
