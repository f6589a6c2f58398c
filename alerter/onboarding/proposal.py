"""Which tag tells runs apart, and amounts that what was spent so far would not have crossed."""

from __future__ import annotations

from calendar import monthrange
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from statistics import median

from alerter.core.budgets import UNTAGGED, Budget, is_glob
from alerter.core.derivation import placeholder
from alerter.core.money import NANOS
from alerter.core.periods import PeriodKind, PeriodSpec, day_of
from alerter.onboarding.survey import Survey
from alerter.spending import accruals, daily_spending
from alerter.store.totals import View

TEAM = "team"
"""The tag that is read out of experiments' names."""

MAX_VALUES = 300
"""A tag with more values than this names runs, not teams."""

OVERRIDES = 100
"""Values that get an amount of their own, the dearest first; the others have the default."""

_LEAST_SHARE = 5
"""A tag tells runs apart if at least one run in so many has it."""

_NAMES = (
    *("team", "squad", "group", "department", "business_unit", "org", "project", "product"),
    *("cost_center", "cost-center", "costcenter", "client", "customer", "owner"),
)
_MONTHS = 6
_SETTLED_DAYS = 7
"""So many days of a month say what the whole of it may cost."""

_LEAST = 10
_LONGEST = 80
_RESERVED = frozenset({"amount", "owner"})
"""Keys of an override: a tag of such a name can't stand in one."""

DEFAULT_AMOUNT = 1000
"""Where nothing was spent yet, in units of the currency."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What one scope cost in its dearest calendar month, in nanos, and an amount that leaves room, in whole units."""

    value: str
    dearest_nanos: int
    amount: int


@dataclass(frozen=True, slots=True)
class Proposal:
    """Amounts, in whole units of the currency.

    Attributes:
        everything: of all runs together.
        default: of a value that has no amount of its own.
        values: of those that have, the dearest first.
        more: values besides, which have the default.
        folded: values of the tag differ only by upper and lower case.
    """

    everything: Spent
    default: int = DEFAULT_AMOUNT
    values: tuple[Spent, ...] = ()
    more: int = 0
    folded: bool = False


def candidates(survey: Survey) -> list[str]:
    """Return the tags that may tell teams apart, the likeliest first: well-known names go before mere numbers."""
    likely = [
        key
        for key, values in survey.own_tags.items()
        if 2 <= len(values) <= MAX_VALUES and values.total() * _LEAST_SHARE >= survey.runs
    ]
    return sorted(likely, key=lambda key: (_rarely(survey, key), _rank(key), -survey.own_tags[key].total(), key))


def derivable(survey: Survey) -> str | None:
    """Return a pattern that tells teams by experiments' names, such as ``/teams/{team}/*``; None where none fits half.

    Only where no tag does.
    """
    if any(not _rarely(survey, key) for key in candidates(survey)):
        return None
    values: dict[str, Counter[str]] = defaultdict(Counter)
    for name, runs in survey.tags.get("experiment", Counter()).items():
        lead, *rest = name.removeprefix("/").split("/")
        if len(rest) >= 2 and lead and rest[0] and not is_glob(lead) and not set(lead) & set("{}"):
            values[f"{'/' if name.startswith('/') else ''}{lead}/{placeholder(TEAM)}/*"][rest[0]] += runs
    best = max(values, key=lambda pattern: values[pattern].total(), default=None)
    if best is None or not 2 <= len(values[best]) <= MAX_VALUES or values[best].total() * 2 < survey.runs:
        return None
    return best


def is_folded(values: Mapping[str, int]) -> bool:
    """Whether some values are the same but for upper and lower case."""
    return len({each.casefold() for each in values}) < len(values)


def provisional(tag: str | None, timezone: str, currency: str) -> tuple[Budget, ...]:
    """Return budgets that only add up, by month: of everything, and by the tag."""
    grouped = {"everything": ()} if tag is None else {"everything": (), "by-tag": (tag,)}
    monthly = PeriodSpec(PeriodKind.MONTHLY)
    return tuple(
        Budget(name, name, monthly, timezone, currency, ((date.min, NANOS),), group_by=keys)
        for name, keys in grouped.items()
    )


def propose(view: View, survey: Survey, tag: str | None) -> Proposal:
    """Return amounts a third above the dearest of the last months, for the `provisional` budgets of a view."""
    zone = next(iter(view.budgets.values())).timezone
    today = day_of(zone, survey.now_ms)
    first = date.fromordinal(today - 30 * _MONTHS).replace(day=1).toordinal()
    spent = daily_spending(view, accruals(view, survey.now_ms), first, today + 1)
    everything, values = Spent("", 0, DEFAULT_AMOUNT), []
    for (budget_id, scope_id), days in spent.items():
        dearest = _dearest_month(days, today)
        scope = view.scope(budget_id, scope_id)
        if not scope:
            everything = Spent("", dearest, _with_room(dearest))
        elif dearest > 0 and tag not in _RESERVED and _can_be_named(scope[0][1]):
            values.append(Spent(scope[0][1], dearest, _with_room(dearest)))
    values.sort(key=lambda each: (-each.dearest_nanos, each.value))
    own = [each.amount for each in values if each.value != UNTAGGED]
    return Proposal(
        everything,
        int(median(own)) if own else DEFAULT_AMOUNT,
        tuple(values[:OVERRIDES]),
        len(values[OVERRIDES:]),
        tag is not None and is_folded(survey.tags.get(tag, Counter())),
    )


def _dearest_month(days: Mapping[int, int], today: int) -> int:
    months: dict[date, int] = defaultdict(int)
    for day, nanos in days.items():
        months[date.fromordinal(day).replace(day=1)] += nanos
    now = date.fromordinal(today)
    this = now.replace(day=1)
    if this in months and now.day >= _SETTLED_DAYS:
        months[this] = months[this] * monthrange(now.year, now.month)[1] // now.day
    return max(months.values(), default=0)


def _with_room(nanos: int) -> int:
    """Return a third more, rounded up to two digits and to tens: 80 % of it is above what was spent."""
    units = max(-(-nanos * 4 // (3 * NANOS)), _LEAST)
    step = max(10 ** (len(str(units)) - 2), _LEAST)
    return int(-(-units // step) * step)


def _rarely(survey: Survey, key: str) -> bool:
    return survey.own_tags[key].total() * 2 < survey.runs


def _rank(key: str) -> int:
    name = key.casefold()
    return _NAMES.index(name) if name in _NAMES else len(_NAMES)


def _can_be_named(value: str) -> bool:
    """Whether an override can be written for a value: it is short, and means itself."""
    return len(value) <= _LONGEST and value.isprintable() and not is_glob(value)
