"""A message as plain text, for media without a layout of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping

from alerter.core import wording
from alerter.core.alerts import Alert, AlertState, AlertStatus, Message
from alerter.core.budgets import Basis
from alerter.core.digest_wording import body_lines
from alerter.core.reminders import reason_line
from alerter.core.text import one_line
from alerter.core.wording import PLAIN, Style

MOST_ALERTS = 25
TOP_RUNS = 5

_WEB = re.compile(r"https?://[^/]")
_TITLE = 150
_LINE = 400


def title(message: Message, states: Mapping[str, AlertState], style: Style = PLAIN) -> str:
    """Return one line that tells the worst of a message, at most 150 characters of it."""
    if not message.alerts:
        return style.safe(message.title or message.text, _TITLE)
    first = message.alerts[0]
    state = states.get(first.id, wording.FIRING)
    if wording.is_single(message):
        return wording.headline(first, state, style)
    return f"{wording.icon(first, state)} {wording.group_title(message, style)}"


def text(message: Message, states: Mapping[str, AlertState], style: Style = PLAIN) -> str:
    """Return what stands under the title: of one alert its lines, of several each with its headline."""
    parts = ["\n".join(style.safe(line, _LINE) for line in body_lines(message))]
    for alert in message.alerts[:MOST_ALERTS]:
        state = states.get(alert.id, wording.FIRING)
        head = [] if wording.is_single(message) else [wording.headline(alert, state, style)]
        parts.append("\n".join([*head, *lines_of(alert, state, style)]))
    more = len(message.alerts) - MOST_ALERTS
    parts.append(f"and {more} more" if more > 0 else "")
    return "\n\n".join(part for part in parts if part)


def lines_of(alert: Alert, state: AlertState, style: Style = PLAIN) -> list[str]:
    """Return the lines of an alert under its headline."""
    ahead = alert.basis is Basis.FORECAST or alert.spent_nanos >= alert.amount_nanos
    lines = [
        reason_line(alert) if state.status is AlertStatus.FIRING else "",
        wording.amount_line(alert, style),
        wording.forecast_line(alert, style) if ahead else "",
        wording.recent_line(alert, style),
        *(f" {n}. {wording.run_line(run, alert.currency, style)}" for n, run in enumerate(alert.top[:TOP_RUNS], 1)),
        f"    {more}" if (more := wording.more_line(alert, TOP_RUNS)) else "",
        wording.coverage_line(alert, style),
        wording.footer_line(alert, style, state),
        wording.state_line(state, alert.timezone, style),
        wording.id_line(alert, style),
        web_address(alert.page_url),
    ]
    return [line for line in lines if line]


def web_address(url: str) -> str:
    """Return an address that may be shown or linked, else ``""``: "javascript:" needs no markup to do harm."""
    return url if _WEB.match(url) and one_line(url, len(url)) == url else ""
