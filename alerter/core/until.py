"""Until when a hold keeps quiet, as people write it: ``100%``, ``+$500``, ``2026-12-01``, ``3d``, ``period``."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from enum import StrEnum
from zoneinfo import ZoneInfo

from alerter.core.money import MoneyError, human, parse_decimal, sign_of, to_nanos
from alerter.core.periods import DAY_MS, HOUR_MS, local
from alerter.core.text import one_line
from alerter.core.wording import moment

FORMS = "100%, +$500, $900, 2h, 3d, tomorrow, friday, 2026-12-01 16:00, period, or next"
NEXT_THRESHOLD = "the next threshold"

_NEXT = frozenset({"", "next", "next threshold", NEXT_THRESHOLD})
_PERIOD = frozenset({"period", "the period", "period end", "the period's end", "end of period"})
_UNITS_MS = {"m": 60_000, "h": HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS}
_DURATION = re.compile(r"([0-9]{1,6})\s*([mhdw])")
_PERCENT = re.compile(r"([0-9]{1,5})\s*%")
_MONEY = re.compile(r"(\+?)\s*([^\s0-9.,+-]{0,3})\s*([0-9][0-9,]*(?:\.[0-9]+)?)\s*([A-Za-z]{3})?")
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY = re.compile(rf"(tomorrow|{'|'.join(_WEEKDAYS)})(?: (?P<clock>[0-9:]+))?")
_MORNING = "9:00"
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_LONGEST = timedelta(days=3660)


class UntilError(ValueError):
    """Words that are no end of a hold; the message says what to write instead."""


class UntilKind(StrEnum):
    """What ends a hold."""

    NEXT = "next"
    PERCENT = "percent"
    AMOUNT = "amount"
    RISE = "rise"
    TIME = "time"
    PERIOD = "period"


@dataclass(frozen=True, slots=True)
class Until:
    """The end of a hold.

    Attributes:
        kind: what ends it; the next threshold ends every one.
        percent: the hold ends once so much is spent.
        nanos: the amount that ends it; of a rise what may still be spent.
        at_ms: the instant that ends it.
    """

    kind: UntilKind
    percent: int | None = None
    nanos: int | None = None
    at_ms: int | None = None

    def words(self, currency: str, zone: str) -> str:
        """Return the end for people: ``100 %``, ``$10,240 is spent``, ``Tue 24 Nov 16:00``."""
        if self.percent is not None:
            return f"{self.percent} %"
        if self.nanos is not None:
            more = "more " if self.kind is UntilKind.RISE else ""
            return f"{human(self.nanos, currency)} {more}is spent"
        if self.at_ms is None:
            return "the period's end" if self.kind is UntilKind.PERIOD else NEXT_THRESHOLD
        when = moment(self.at_ms, zone)
        return f"the period's end, {when}" if self.kind is UntilKind.PERIOD else when

    def at(self, *, spent: int, period_end_ms: int | None) -> Until:
        """Return a rise as an amount above what is spent, and the period's end as an instant; others as they are.

        Raises:
            UntilError: the period has no end, as a rolling one.
        """
        if self.kind is UntilKind.RISE:
            return Until(UntilKind.AMOUNT, nanos=spent + (self.nanos or 0))
        if self.kind is UntilKind.PERIOD:
            if period_end_ms is None:
                raise UntilError("a rolling budget's period has no end: write a date, or a time such as 3d")
            return replace(self, at_ms=period_end_ms)
        return self


def parse(text: str, *, now_ms: int, zone: str, currency: str) -> Until:
    """Return the end of a hold from what somebody wrote; days and clock times are local to ``zone``.

    Raises:
        UntilError: it is no such end, is past, or names another currency.
    """
    words = " ".join(text.casefold().split()).removeprefix("until ")
    if words in _NEXT:
        return Until(UntilKind.NEXT)
    if words in _PERIOD:
        return Until(UntilKind.PERIOD)
    if match := _PERCENT.fullmatch(words):
        return Until(UntilKind.PERCENT, percent=int(match[1]))
    if match := _DURATION.fullmatch(words):
        return _time(now_ms + int(match[1]) * _UNITS_MS[match[2]], text, now_ms, zone)
    at_ms = _instant(words, now_ms, zone)
    if at_ms is not None:
        return _time(at_ms, text, now_ms, zone)
    if match := _MONEY.fullmatch(" ".join(text.split()).removeprefix("until ")):
        return _money(match, text, currency)
    close = get_close_matches(words, ("next", "period", "tomorrow", *_WEEKDAYS), n=1, cutoff=0.7)
    guess = f"did you mean {close[0]}? Else write" if close else "write"
    raise UntilError(f"{_said(text)} is no end of a hold: {guess} {FORMS}")


def _instant(words: str, now_ms: int, zone: str) -> int | None:
    if match := _CLOCK.fullmatch(words):
        now = local(now_ms, zone)
        at = now.replace(hour=int(match[1]), minute=int(match[2]), second=0, microsecond=0)
        return _ms(at if at > now else at + timedelta(days=1))
    if match := _DAY.fullmatch(words):
        return _on_day(match[1], match["clock"] or _MORNING, now_ms, zone)
    try:
        if len(words) == len("2026-12-01"):
            at = datetime.combine(date.fromisoformat(words), datetime.min.time())
        else:
            at = datetime.fromisoformat(words.upper().replace(" ", "T", 1))
        return _ms(at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone)))
    except (ValueError, OverflowError):
        return None


def _on_day(day: str, clock: str, now_ms: int, zone: str) -> int | None:
    """Return a clock time of tomorrow, or of the next such weekday after today."""
    at = _CLOCK.fullmatch(clock)
    if at is None:
        return None
    now = local(now_ms, zone)
    ahead = 1 if day == "tomorrow" else (_WEEKDAYS.index(day) - now.weekday() - 1) % 7 + 1
    return _ms((now + timedelta(days=ahead)).replace(hour=int(at[1]), minute=int(at[2]), second=0, microsecond=0))


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _time(at_ms: int, text: str, now_ms: int, zone: str) -> Until:
    if at_ms <= now_ms:
        raise UntilError(f"{_said(text)} is not in the future: it is {moment(now_ms, zone)} ({zone})")
    if at_ms - now_ms > _LONGEST.total_seconds() * 1000:
        raise UntilError(f"{_said(text)} is more than ten years ahead: write an earlier date, or `period`")
    return Until(UntilKind.TIME, at_ms=at_ms)


def _money(match: re.Match[str], text: str, currency: str) -> Until:
    plus, before, digits, after = match.groups()
    named = [each.upper() for each in (before, after) if each]
    if not plus and not named:
        sign = sign_of(currency) or f"{currency} "
        raise UntilError(f"{_said(text)} has no unit: write {sign}{digits}, {digits}%, {digits}h or {digits}d")
    if any(each not in {sign_of(currency), currency} for each in named):
        raise UntilError(f"{_said(text)} is not understood: this budget is in {currency}; write {FORMS}")
    try:
        nanos = to_nanos(parse_decimal(digits.replace(",", "")))
    except MoneyError as error:
        raise UntilError(str(error)) from None
    if nanos <= 0:
        raise UntilError(f"{_said(text)} is no amount: it must be greater than 0")
    return Until(UntilKind.RISE if plus else UntilKind.AMOUNT, nanos=nanos)


def _said(text: str) -> str:
    return f"until {one_line(text, 60).removeprefix('until ')}"
