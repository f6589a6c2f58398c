"""A message as an e-mail: subject, plain text, HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alerter.core import chart, wording
from alerter.core.alerts import Alert, AlertState, AlertStatus, Digest, Message, RunEvidence
from alerter.core.budgets import Basis
from alerter.core.decisions import Reason
from alerter.core.digest_wording import Part, digest_lines, digest_notes, parts
from alerter.core.plain_text import web_address
from alerter.core.reminders import reason_line
from alerter.core.text import one_line

if TYPE_CHECKING:
    from jinja2 import Template

MAX_ALERTS = 25
_COLOURS = {"🔴": "#c62828", "🟠": "#e07b00", "🟡": "#c9a400", "📈": "#6a4fb3"}
_CALM = "#2e7d4f"
_LINE = 400
_SUBJECT = 150
_AGAIN: dict[str, str] = {
    Reason.REPEAT: "Reminder: ",
    Reason.ESCALATION: "Escalated: ",
    Reason.SNOOZE_ENDED: "Snooze over: ",
    Reason.HOLD_ENDED: "Not acknowledged any more: ",
}


@dataclass(frozen=True, slots=True)
class Rendered:
    """The parts of an e-mail."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Run:
    """One row of the table of runs; the template escapes every field."""

    name: str
    url: str
    facts: str
    cost: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture and the words around it, for there are none in it.

    Attributes:
        source: where the picture is, ``cid:...``.
        said: what it shows, for whoever doesn't see it.
        first, last: the days at its left and its right.
        legend: (colour, words) of each of its lines.
    """

    source: str
    said: str
    first: str
    last: str
    legend: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Card:
    """One alert as the template shows it; the template escapes every field.

    Attributes:
        colour: of the card, calm once somebody has it; ``bar_colour`` tells how bad it is all the same.
        bar: width of the bar of what is used, 1 to 100.
        why: it is told once more; ``""`` for news.
        lines: sentences under the amount.
        small: the fine print.
    """

    head: str
    colour: str
    bar_colour: str
    struck: bool
    bar: int
    amount: str
    lines: tuple[str, ...]
    runs: tuple[Run, ...]
    more: str
    state: str
    small: tuple[str, ...]
    url: str
    chart: Chart | None
    why: str


def render(message: Message, states: Mapping[str, AlertState], pictures: Sequence[str] = ()) -> Rendered:
    """Return a message as an e-mail, with each alert's present state (by alert id; missing is firing).

    ``pictures`` are the content ids of the first alerts' charts, ``""`` for one that has none.
    """
    sources = [*pictures, *[""] * len(message.alerts)]
    cards = [
        card(each, states.get(each.id, wording.FIRING), source)
        for each, source in zip(message.alerts[:MAX_ALERTS], sources, strict=False)
    ]
    title = "" if wording.is_single(message) else _title(message)
    body = [one_line(line, _LINE) for line in message.text.splitlines()]
    more = len(message.alerts) - len(cards)
    rest = f"and {more} more" if more > 0 else ""
    sections, notes = _parts(message.digest)
    html = _template().render(title=title, body=body, cards=cards, rest=rest, parts=sections, notes=notes)
    plain = [*body, *(digest_lines(message.digest) if message.digest else ())]
    return Rendered(subject(message, states), _text(title, plain, cards, rest), html)


def subject(message: Message, states: Mapping[str, AlertState]) -> str:
    """Return the subject: a reminder says so before anything else."""
    said = wording.subject(message, states)
    if not wording.is_single(message):
        return said
    alert = message.alerts[0]
    firing = states.get(alert.id, wording.FIRING).status is AlertStatus.FIRING
    return one_line(f"{_AGAIN.get(alert.reason, '') if firing else ''}{said}", _SUBJECT)


def card(alert: Alert, state: AlertState, picture: str = "") -> Card:
    """Return what a mail says of one alert; ``picture`` is its chart's content id."""
    ahead = alert.basis is Basis.FORECAST or alert.spent_nanos >= alert.amount_nanos
    lines = [wording.forecast_line(alert) if ahead else "", wording.recent_line(alert)]
    used = 100 if alert.amount_nanos <= 0 else min(alert.spent_nanos * 100 // alert.amount_nanos, 100)
    said = wording.state_line(state, alert.timezone)
    footer = wording.footer_line(alert, state=state)
    return Card(
        head=wording.headline(alert, state),
        colour=_COLOURS.get(wording.icon(alert, state), _CALM),
        bar_colour=_COLOURS.get(wording.icon(alert), _CALM),
        struck=state.is_mended,
        bar=max(used, 1),
        amount=wording.amount_line(alert),
        lines=tuple(line for line in lines if line),
        runs=_runs(alert.top, alert.currency),
        more=wording.more_line(alert, len(alert.top)),
        state=f"{wording.icon(alert, state)} {said}" if said else "",
        small=tuple(filter(None, (wording.coverage_line(alert), footer, wording.id_line(alert)))),
        url=web_address(alert.page_url),
        chart=_chart(alert, picture) if picture else None,
        why=reason_line(alert) if state.status is AlertStatus.FIRING else "",
    )


def _chart(alert: Alert, picture: str) -> Chart:
    first, last = (f"{day.day} {day:%b}" for day in chart.days_of(alert))
    legend = [
        (chart.SPENT, f"spent {wording.money(alert, alert.spent_nanos)}"),
        (chart.AMOUNT, f"amount {wording.money(alert, alert.amount_nanos)}"),
    ]
    if alert.forecast_nanos is not None:
        legend.append((chart.AHEAD, f"expected {wording.money(alert, alert.forecast_nanos)}"))
    said = f"Chart from {first} to {last}: {', '.join(words for _, words in legend)}"
    return Chart(f"cid:{picture}", said, first, last, tuple(legend))


def _title(message: Message) -> str:
    return wording.group_title(message) if message.alerts else one_line(message.title, _LINE)


def _parts(digest: Digest | None) -> tuple[list[tuple[Part, tuple[Run, ...]]], list[str]]:
    """Return the parts of a digest, each with its runs, and the fine print; the template escapes every field."""
    if digest is None:
        return [], []
    page = [digest.page_url] if web_address(digest.page_url) else []
    return [(each, _runs(each.runs, digest.currency)) for each in parts(digest)], [*digest_notes(digest), *page]


def _runs(runs: Iterable[RunEvidence], currency: str) -> tuple[Run, ...]:
    rows = []
    for run in runs:
        facts, _, cost = wording.run_facts(run, currency).rpartition(" · ")
        rows.append(Run(one_line(run.name) or one_line(run.run_uuid), web_address(run.url), facts, cost))
    return tuple(rows)


def _text(title: str, body: list[str], cards: list[Card], rest: str) -> str:
    parts = [title, "\n".join(body), *(_card_text(each) for each in cards), rest]
    return "\n\n".join(part for part in parts if part) + "\n"


def _card_text(made: Card) -> str:
    lines = [made.head, "", made.why, made.state, made.amount, *made.lines]
    for number, run in enumerate(made.runs, 1):
        lines.append(f"{number:2}. {run.name} · {run.facts} · {run.cost}")
        lines += [f"    {run.url}"] if run.url else []
    lines += [f"    {made.more}" if made.more else "", "", *made.small, made.url]
    return "\n".join(line for index, line in enumerate(lines) if line or (index == 1))


@cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - 0.1 s

    loader = FileSystemLoader(Path(__file__).with_name("templates"))
    options: dict[str, Any] = {"autoescape": True, "undefined": StrictUndefined, "trim_blocks": True}
    made = Environment(loader=loader, lstrip_blocks=True, **options)  # noqa: S701 - autoescape is among the options
    return made.get_template("alert.html.j2")
