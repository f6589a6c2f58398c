"""Days as people say them: tomorrow, and the next such weekday, in the budget's time zone."""

import pytest

from alerter.core.until import UntilError, parse
from alerter.core.wording import moment
from tests.notifiers.samples import NOW  # Mon 23 Nov 2026 14:32 in Berlin


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("tomorrow", "Tue 24 Nov 09:00"),
        ("until tomorrow 17:30", "Tue 24 Nov 17:30"),
        ("Monday", "Mon 30 Nov 09:00"),
        ("tuesday", "Tue 24 Nov 09:00"),
        ("Sunday 8:00", "Sun 29 Nov 08:00"),
    ],
)
def test_a_day_has_a_morning(text: str, end: str) -> None:
    at_ms = parse(text, now_ms=NOW, zone="Europe/Berlin", currency="USD").at_ms
    assert at_ms is not None
    assert moment(at_ms, "Europe/Berlin") == end


def test_a_clock_time_stays_that_when_the_clocks_change() -> None:
    friday = 1_792_774_800_000  # Fri 23 Oct 2026 17:00 in Berlin; the clocks go back on Sunday
    at_ms = parse("monday", now_ms=friday, zone="Europe/Berlin", currency="USD").at_ms
    assert at_ms is not None
    assert moment(at_ms, "Europe/Berlin") == "Mon 26 Oct 09:00"


@pytest.mark.parametrize("text", ["tomorrow 25:00", "someday", "monday 9"])
def test_what_is_no_day_or_time_is_refused(text: str) -> None:
    with pytest.raises(UntilError):
        parse(text, now_ms=NOW, zone="Europe/Berlin", currency="USD")
