"""Until when a hold lasts, as people write it."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from alerter.core.until import Until, UntilError, UntilKind, parse

BERLIN = "Europe/Berlin"
NOW = 1_795_439_100_000  # Monday 2026-11-23 14:05 in Berlin


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(BERLIN)).timestamp() * 1000)


def read(text: str, currency: str = "USD", now_ms: int = NOW) -> Until:
    return parse(text, now_ms=now_ms, zone=BERLIN, currency=currency)


@pytest.mark.parametrize(
    ("text", "wanted", "words"),
    [
        ("", Until(UntilKind.NEXT), "the next threshold"),
        ("Next", Until(UntilKind.NEXT), "the next threshold"),
        ("until the next threshold", Until(UntilKind.NEXT), "the next threshold"),
        ("100%", Until(UntilKind.PERCENT, percent=100), "100 %"),
        (" until 150 % ", Until(UntilKind.PERCENT, percent=150), "150 %"),
        ("+$500", Until(UntilKind.RISE, nanos=500 * 10**9), "$500 more is spent"),
        ("+500", Until(UntilKind.RISE, nanos=500 * 10**9), "$500 more is spent"),
        ("+ 500.25 usd", Until(UntilKind.RISE, nanos=500_250_000_000), "$500 more is spent"),
        ("$1,200", Until(UntilKind.AMOUNT, nanos=1200 * 10**9), "$1,200 is spent"),
        ("900 USD", Until(UntilKind.AMOUNT, nanos=900 * 10**9), "$900 is spent"),
        ("2h", Until(UntilKind.TIME, at_ms=NOW + 7_200_000), "Mon 23 Nov 16:05"),
        ("3d", Until(UntilKind.TIME, at_ms=NOW + 3 * 86_400_000), "Thu 26 Nov 14:05"),
        ("90 m", Until(UntilKind.TIME, at_ms=NOW + 5_400_000), "Mon 23 Nov 15:35"),
        ("1w", Until(UntilKind.TIME, at_ms=NOW + 7 * 86_400_000), "Mon 30 Nov 14:05"),
        ("16:00", Until(UntilKind.TIME, at_ms=at("2026-11-23 16:00")), "Mon 23 Nov 16:00"),
        ("9:00", Until(UntilKind.TIME, at_ms=at("2026-11-24 09:00")), "Tue 24 Nov 09:00"),
        ("2026-12-01", Until(UntilKind.TIME, at_ms=at("2026-12-01")), "Tue 1 Dec 00:00"),
        ("2026-12-01 16:00", Until(UntilKind.TIME, at_ms=at("2026-12-01 16:00")), "Tue 1 Dec 16:00"),
        ("2026-12-01T16:00Z", Until(UntilKind.TIME, at_ms=at("2026-12-01 17:00")), "Tue 1 Dec 17:00"),
        ("period", Until(UntilKind.PERIOD), "the period's end"),
    ],
)
def test_what_is_understood(text: str, wanted: Until, words: str) -> None:
    assert read(text) == wanted
    assert read(text).words("USD", BERLIN) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("whenever", "until whenever is no end of a hold: write 100%, +$500"),
        ("tomorow", "until tomorow is no end of a hold: did you mean tomorrow? Else write 100%, +$500"),
        ("firday", "did you mean friday? Else write"),
        ("900", "has no unit: write $900, 900%, 900h or 900d"),
        ("€900", "this budget is in USD"),
        ("900 EUR", "this budget is in USD"),
        ("+$0", "must be greater than 0"),
        ("$99999999999", "too large"),
        ("2026-11-23", "is not in the future: it is Mon 23 Nov 14:05 (Europe/Berlin)"),
        ("0m", "is not in the future"),
        ("2026-02-30", "no end of a hold"),
        ("999999w", "more than ten years ahead"),
        ("9999-12-31", "more than ten years ahead"),
        ("-5h", "no end of a hold"),
        ("\u0661\u0660\u0660%", "no end of a hold"),
        ("<!here>\n`x`", "until <!here> `x` is no end of a hold"),
        ("x" * 5000, "is no end of a hold"),
    ],
)
def test_what_is_not_is_said_with_a_remedy(text: str, words: str) -> None:
    with pytest.raises(UntilError) as caught:
        read(text)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 250


def test_another_currency_is_written_its_own_way() -> None:
    assert read("€900", "EUR").words("EUR", BERLIN) == "€900 is spent"
    assert read("900 CHF", "CHF").words("CHF", BERLIN) == "900 CHF is spent"
    with pytest.raises(UntilError, match="write CHF 900, 900%"):
        read("900", "CHF")


def test_a_rise_and_a_period_are_fixed_when_they_are_placed() -> None:
    assert read("+$5").at(spent=7, period_end_ms=None) == Until(UntilKind.AMOUNT, nanos=5 * 10**9 + 7)
    end = at("2026-12-01")
    assert read("period").at(spent=0, period_end_ms=end).words("USD", BERLIN) == "the period's end, Tue 1 Dec 00:00"
    with pytest.raises(UntilError, match="a rolling budget's period has no end"):
        read("period").at(spent=0, period_end_ms=None)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30) | st.from_regex(r"\+?[$€]?[0-9.,:%hdwm -]{1,12}", fullmatch=True))
def test_any_text_is_an_end_or_an_error_in_words(text: str) -> None:
    try:
        found = read(text)
    except UntilError:
        return
    assert found.at_ms is None or found.at_ms > NOW
    assert found.nanos is None or found.nanos > 0
    assert found.words("USD", BERLIN)
