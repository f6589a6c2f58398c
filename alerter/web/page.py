"""The status page as HTML: what is shown in which order, and how values are written. The template holds the markup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from alerter.core.alerts import AlertStatus
from alerter.core.budgets import Basis
from alerter.core.chart import BurnUp, draw
from alerter.core.money import human
from alerter.core.periods import iso
from alerter.core.text import actor_name, one_line
from alerter.core.views import AlertView, BudgetStatus, DeliveryView, PageData
from alerter.core.wording import CENTS_BELOW, moment, percent

ROWS = 500
"""Budgets that the page shows; the API has them all."""

_TEMPLATES = Path(__file__).parent / "templates"
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure at the top: its number, what it counts, and the tone in which it is shown."""

    number: int
    label: str
    tone: str


@dataclass(frozen=True, slots=True)
class Card:
    """What is told of a scope's period, or of one run: its alerts, what concerns people most first.

    Attributes:
        now: where the scope stands in that period; None once the period is over, and for a run.
        chart: how the period went, where it is drawn.
    """

    alerts: Sequence[AlertView]
    now: BudgetStatus | None = None
    chart: BurnUp | None = None

    @property
    def first(self) -> AlertView:
        """The alert that decides how the card looks: the highest that fires, else the highest."""
        return self.alerts[0]

    @property
    def spent_nanos(self) -> int:
        """What was spent: as of the page's data, or when it was last told."""
        return self.now.spent_nanos if self.now else self.first.spent_nanos

    @property
    def amount_nanos(self) -> int:
        """The amount that goes with it."""
        return self.now.amount_nanos if self.now else self.first.amount_nanos

    @property
    def period(self) -> str:
        """The period's label."""
        return self.now.period if self.now else self.first.period

    @property
    def late(self) -> Sequence[DeliveryView]:
        """Messages about it that did not get out (yet), each once."""
        return list(dict.fromkeys(way for each in self.alerts for way in each.deliveries if way.state != "sent"))


def render_status(data: PageData) -> str:
    """Return the status page."""
    budgets = sorted(data.budgets, key=lambda each: (-each.percent, each.title, each.budget))
    cards = cards_of(data)
    return (
        _environment()
        .get_template("status.html")
        .render(
            data=data,
            budgets=budgets[:ROWS],
            more=max(len(budgets) - ROWS, 0),
            cards=cards,
            firing=sum(each.first.status is AlertStatus.FIRING for each in cards),
            tiles=_tiles(data.budgets, cards),
        )
    )


def render_login(*, failed: bool) -> str:
    """Return the form that asks for the token."""
    return _environment().get_template("login.html").render(failed=failed)


def tone(status: BudgetStatus) -> str:
    """Return how bad it is: ``over``, ``high`` from 80 %, ``ahead`` where the forecast is over, else ``fine``."""
    if status.percent >= 100:
        return "over"
    if status.percent >= 80:
        return "high"
    return "ahead" if (status.forecast_nanos or 0) > status.amount_nanos else "fine"


def money(nanos: int, of: BudgetStatus | Card) -> str:
    """Return an amount of a budget, with cents for small budgets only, so that its amounts line up."""
    return human(nanos, of.first.currency if isinstance(of, Card) else of.currency, cents=of.amount_nanos < CENTS_BELOW)


def width(nanos: int | None, status: BudgetStatus) -> str:
    """Return how much of a bar an amount fills, as an SVG length from ``0%`` to ``100%``."""
    if not nanos or status.amount_nanos <= 0:
        return "0%"
    return f"{min(max(nanos * 1000 // status.amount_nanos, 0), 1000) / 10:g}%"


def ago(at_ms: int, now_ms: int) -> str:
    """Return how long ago something was: ``just now``, ``4 min ago``, ``3 h ago``, ``2 days ago``."""
    seconds = (now_ms - at_ms) // 1000
    if seconds < _MINUTE:
        return "just now"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min ago"
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR} h ago"
    return f"{seconds // _DAY} days ago"


def days(start: str, end: str) -> str:
    """Return the days of a period ``[start, end)``, given as ISO dates: ``1 Nov - 30 Nov``."""
    first, last = date.fromisoformat(start), date.fromisoformat(end) - timedelta(days=1)
    if first == last:
        return f"{first.day} {first:%b}"
    year = f" {first.year}" if first.year != last.year else ""
    return f"{first.day} {first:%b}{year} - {last.day} {last:%b}{f' {last.year}' if year else ''}"


def burn_up(chart: BurnUp) -> Markup:
    """Return a chart as SVG, drawn as mails draw it; there is nothing but numbers in it."""
    return Markup(draw(chart))  # noqa: S704 - our own shapes


def person(actor: str) -> str:
    """Return who acted as people know them, in one safe line."""
    return one_line(actor_name(actor))


def cards_of(data: PageData) -> Sequence[Card]:
    """Return a card for each budget, scope and period of which something is told, and each run; what fires first."""
    groups: dict[tuple[object, ...], list[AlertView]] = {}
    for each in data.alerts:
        if each.status is not AlertStatus.RESOLVED:
            groups.setdefault((each.budget, each.scope, each.period_start, each.run), []).append(each)
    current = {(each.budget, each.scope): each for each in data.budgets}
    cards = []
    for group in groups.values():
        group.sort(key=lambda each: (each.status is AlertStatus.FIRING, each.threshold), reverse=True)
        first = group[0]
        now = None if first.basis is Basis.RUN else current.get((first.budget, first.scope))
        chart = next((data.charts[each.id] for each in group if each.id in data.charts), None)
        cards.append(Card(group, now if now and first.period_start >= now.period_start else None, chart))
    return sorted(cards, key=lambda card: card.first.status is not AlertStatus.FIRING)


def _tiles(budgets: Sequence[BudgetStatus], cards: Sequence[Card]) -> Sequence[Tile]:
    firing = sum(card.first.status is AlertStatus.FIRING for card in cards)
    watched = len({each.budget for each in budgets})
    over = sum(each.percent >= 100 for each in budgets)
    return (
        Tile(watched, "budgets watched" if watched != 1 else "budget watched", "plain"),
        Tile(over, "over 100 %", "over" if over else "fine"),
        Tile(firing, "alerts firing" if firing != 1 else "alert firing", "high" if firing else "fine"),
        Tile(len(cards) - firing, "acknowledged", "plain"),
    )


@lru_cache(maxsize=1)
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        ago=ago,
        burn_up=burn_up,
        days=days,
        iso=iso,
        line=one_line,
        moment=moment,
        money=money,
        person=person,
        tone=tone,
        width=width,
    )
    made.globals["percent"] = percent
    return made
