"""Which alerts fire, resolve and re-open, given what is spent."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given, settings, strategies as st

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


def ahead(
    forecast: int | None,
    *,
    firing: bool = False,
    resolved: bool = False,
    moved: bool = False,
    band: int = 50,
    spent: int = 10,
) -> list[str]:
    """What happens to the alert of ``forecast 100%`` of 1000."""
    key = AlertKey(Basis.FORECAST, 100)
    known = {"firing": [key][: int(firing)], "resolved": [key][: int(resolved)], "moved": [key][: int(moved)]}
    return [each.change.value for each in evaluate([FORECAST], 25, Level(1000, spent, forecast, band), **known)]


@pytest.mark.parametrize(("forecast", "wanted"), [(None, []), (999, []), (1000, ["fire"]), (2000, ["fire"])])
def test_a_forecast_fires_when_it_reaches_the_threshold(forecast: int | None, wanted: list[str]) -> None:
    assert ahead(forecast) == wanted


@pytest.mark.parametrize(("forecast", "wanted"), [(1000, []), (999, []), (950, []), (949, ["resolve"]), (None, [])])
def test_it_resolves_when_its_whole_band_is_below(forecast: int | None, wanted: list[str]) -> None:
    assert ahead(forecast, firing=True) == wanted  # what is unknown is not below
    assert ahead(999, firing=True, band=0) == ["resolve"]


@pytest.mark.parametrize(("forecast", "wanted"), [(None, []), (1000, []), (1049, []), (1050, ["reopen"])])
def test_it_opens_again_when_its_whole_band_is_above(forecast: int | None, wanted: list[str]) -> None:
    assert ahead(forecast, resolved=True) == wanted
    assert ahead(1000, resolved=True, band=0) == ["reopen"]
    assert ahead(1010, resolved=True, spent=1000) == ["reopen"]  # no band reaches below what is spent


def test_another_amount_resolves_it_at_once() -> None:
    assert ahead(999, firing=True, moved=True) == ["resolve"]
    assert ahead(1000, firing=True, moved=True) == []


BANDS = st.integers(0, 400)
WALK = st.lists(st.tuples(st.integers(-1500, 3000), BANDS), max_size=40)


def tellings(walk: Iterable[tuple[int, int]], amount: int = 1000) -> list[tuple[str, int, int]]:
    """Every change of a forecast alert along a walk of (forecast, band), with both."""
    status, found = "", []
    for forecast, band in walk:
        known = [AlertKey(Basis.FORECAST, 100)]
        made = evaluate(
            [FORECAST],
            25,
            Level(amount, 0, forecast, band),
            firing=known if status in {"fire", "reopen"} else (),
            resolved=known if status == "resolve" else (),
        )
        for each in made:
            status = each.change.value
            found.append((status, forecast, band))
    return found


@settings(max_examples=100, deadline=None)
@given(BANDS, st.lists(st.floats(-1, 1), min_size=1, max_size=40))
def test_a_forecast_that_wavers_within_its_band_is_told_once(band: int, steps: list[float]) -> None:
    walk = [(1000 + round(step * band), band) for step in steps]
    assert [change for change, _, _ in tellings(walk)] in ([], ["fire"])


@settings(max_examples=200, deadline=None)
@given(WALK)
def test_between_two_tellings_it_fell_and_rose_by_more_than_its_band(walk: list[tuple[int, int]]) -> None:
    found = tellings(walk)
    assert [change for change, _, _ in found[:1]] in ([], ["fire"])
    for (before, high, _), (change, forecast, band) in pairwise(found):
        assert {before, change} == {"resolve", "fire" if before == "fire" else "reopen"}
        assert abs(forecast - high) > band


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
