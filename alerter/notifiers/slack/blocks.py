"""A message as Block Kit blocks, with a text for notifications and for clients that show no blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from alerter.core import wording
from alerter.core.alerts import Alert, AlertState, AlertStatus, Message
from alerter.core.budgets import Basis
from alerter.core.decisions import Reason
from alerter.core.reminders import is_reminder, reason_line
from alerter.core.text import joined
from alerter.notifiers.slack.controls import actions
from alerter.notifiers.slack.digest import digest_blocks, digest_text
from alerter.notifiers.slack.escape import link, mention, untrusted
from alerter.notifiers.slack.limits import TEXT_LIMIT, Block
from alerter.notifiers.slack.pieces import STYLE, WITHOUT_BOLD, context, fit, header, run_line, section

TOP_RUNS = 3
MAX_ALERTS = 10


@dataclass(frozen=True, slots=True)
class Rendered:
    """What is posted: blocks, and the text that stands for them elsewhere (mrkdwn, escaped)."""

    blocks: list[Block]
    text: str


def render(message: Message, states: Mapping[str, AlertState], *, reply: bool = False) -> Rendered:
    """Return a message as Slack shows it, with each alert's present state (by alert id; missing is firing).

    A reminder that is a ``reply`` leaves out the runs, which the message above it shows.
    """
    if message.digest is not None:
        return Rendered(digest_blocks(message, message.digest), fit(digest_text(message.digest), TEXT_LIMIT))
    text = fit([_mentions(message), *_fallback(message, states)], TEXT_LIMIT)
    if not message.alerts:
        return Rendered(_notice(message), text)
    if wording.is_single(message):
        alert = message.alerts[0]
        brief = reply and is_reminder(alert)
        return Rendered(_single(alert, states.get(alert.id, wording.FIRING), brief=brief), text)
    return Rendered(_group(message, states), text)


def is_broadcast(message: Message) -> bool:
    """Whether a reply is shown in the channel too: anything but reminders that each reach somebody.

    In a thread Slack notifies people and groups, but nobody by ``@here`` and ``@channel``.
    """
    return not all(
        each.reason == Reason.REPEAT and mention(each.mention or "").startswith(("<@", "<!subteam^"))
        for each in message.alerts
    )


def _fallback(message: Message, states: Mapping[str, AlertState]) -> list[str]:
    subject = untrusted(wording.subject(message, states), 150)
    if not message.alerts:
        return [subject, *_body(message)] if message.title else _body(message)
    if wording.is_single(message):
        return [subject, wording.amount_line(message.alerts[0], WITHOUT_BOLD)]
    shown = message.alerts[:MAX_ALERTS]
    return [subject, *(f"{_head(each, states)}: {wording.amount_line(each, WITHOUT_BOLD)}" for each in shown)]


def _head(alert: Alert, states: Mapping[str, AlertState]) -> str:
    return wording.headline(alert, states.get(alert.id, wording.FIRING), STYLE)


def _single(alert: Alert, state: AlertState, *, brief: bool) -> list[Block]:
    said = wording.state_line(state, alert.timezone, STYLE)
    stands = section(f"{wording.icon(alert, state)} {said}") if said else None
    end = [*actions(alert, state), context(wording.id_line(alert, STYLE))]
    if state.status is AlertStatus.RESOLVED:
        head = section(f"{wording.icon(alert, state)} {_struck(wording.claim(alert, STYLE), state)}")
        return [head, *([stands] if stands else []), *end]
    blocks = [header(wording.headline(alert, state)), section(*_figures(alert, state))]
    if not brief and (runs := _runs(alert)):
        blocks.append(section(*runs))
    coverage = "" if brief else wording.coverage_line(alert, STYLE)
    blocks.append(context(coverage, wording.footer_line(alert, STYLE, state)))
    if stands:
        blocks.append(stands)
    if alert.mention and state.status is AlertStatus.FIRING:
        blocks.append(section(mention(alert.mention)))
    return [*blocks, *end]


def _figures(alert: Alert, state: AlertState) -> list[str]:
    ahead = alert.basis is Basis.FORECAST or alert.spent_nanos >= alert.amount_nanos
    return [
        _reason(alert, state),
        wording.amount_line(alert, STYLE),
        wording.forecast_line(alert, STYLE) if ahead else "",
        wording.recent_line(alert, STYLE),
    ]


def _reason(alert: Alert, state: AlertState) -> str:
    said = reason_line(alert) if state.status is AlertStatus.FIRING else ""
    return f"*{said}*" if said else ""


def _group(message: Message, states: Mapping[str, AlertState]) -> list[Block]:
    blocks = [header(wording.group_title(message))]
    for number, each in enumerate(message.alerts[:MAX_ALERTS]):
        blocks += [{"type": "divider"}] if number else []
        blocks += _member(each, states.get(each.id, wording.FIRING))
    if (more := len(message.alerts) - MAX_ALERTS) > 0:
        blocks.append(section(f"and {more} more"))
    if handles := _mentions(message):
        blocks.append(section(handles))
    return [*blocks, context("Nothing is stopped. All amounts are estimates.")]


def _member(alert: Alert, state: AlertState) -> list[Block]:
    sign, (name, rest) = wording.icon(alert, state), _called(alert)
    said = wording.state_line(state, alert.timezone, STYLE)
    if state.status is AlertStatus.RESOLVED:
        return [section(f"{sign} {_struck(f'{name}{rest}', state)}", said)]
    label = "Run" if alert.basis is Basis.RUN else "Top run"
    run = f"{label}: {run_line(alert.top[0], alert.currency)}" if alert.top else ""
    shown = section(f"{sign} *{name}*{rest}", _reason(alert, state), wording.amount_line(alert, STYLE), run, said)
    small = context(joined(wording.id_line(alert, STYLE), wording.owner_line(alert, STYLE)))
    return [shown, small, *actions(alert, state, opens=False)]


def _called(alert: Alert) -> tuple[str, str]:
    """Return what a member of a group is about: a link to its page, and what stands behind it."""
    if alert.basis is Basis.RUN:
        return link(alert.page_url, wording.claim(alert, STYLE)), ""
    name = link(alert.page_url, untrusted(alert.title))
    return name, f" · {untrusted(alert.period)} · {wording.used(alert)} (estimate)"


def _notice(message: Message) -> list[Block]:
    blocks = [header(message.title)] if message.title.strip() else []
    body = _body(message)
    return [*blocks, section(*body)] if body else blocks


def _body(message: Message) -> list[str]:
    return [untrusted(line, 300) for line in message.text.splitlines()[:20] if line.strip()]


def _runs(alert: Alert) -> list[str]:
    lines = [f"{number}. {run_line(run, alert.currency)}" for number, run in enumerate(alert.top[:TOP_RUNS], 1)]
    return [*lines, wording.more_line(alert, TOP_RUNS)] if lines else []


def _mentions(message: Message) -> str:
    """Return every handle of the alerts once; posted with the message, edits never notify again."""
    return " ".join(dict.fromkeys(mention(each.mention) for each in message.alerts if each.mention))


def _struck(text: str, state: AlertState) -> str:
    """Return text struck through where it no longer holds; the end of a period changes nothing about it."""
    return f"~{text}~" if state.is_mended else text
