"""The lines of an alert, and the titles of messages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from alerter.core.alerts import Alert, AlertState, AlertStatus, Message, MessageKind
from alerter.core.budgets import Basis
from alerter.core.money import human
from alerter.core.periods import HOUR_MS, local
from alerter.core.reminders import is_reminder
from alerter.core.text import actor_name, joined, one_line
from alerter.core.wording.ahead import FIRING, is_over
from alerter.core.wording.runs import run_amount, run_claim, run_level
from alerter.core.wording.style import PLAIN, Style, day_words, moment, money, percent, without_price

_ICONS = {AlertStatus.ACKNOWLEDGED: "☑️", AlertStatus.SNOOZED: "💤", AlertStatus.RESOLVED: "✅"}
_CROSSED_SHOWN = 6
_NOTE_LIMIT = 300


def icon(alert: Alert, state: AlertState = FIRING) -> str:
    """Return the sign that tells how bad it is, or that somebody has it."""
    if state.is_closed:
        return "🏁"
    if state.status in _ICONS:
        return _ICONS[state.status]
    if alert.basis is Basis.RUN:
        return "🟠"
    if alert.spent_nanos >= alert.amount_nanos:
        return "🔴"
    if alert.basis is Basis.FORECAST:
        return "📈"
    return "🟠" if alert.percent >= 80 else "🟡"


def headline(alert: Alert, state: AlertState = FIRING, style: Style = PLAIN) -> str:
    """Return ``🟠 vision · November budget 81 % used (estimate)``."""
    return f"{icon(alert, state)} {claim(alert, style)}"


def claim(alert: Alert, style: Style = PLAIN) -> str:
    """Return the headline without its sign: ``vision · November budget 81 % used (estimate)``."""
    if alert.basis is Basis.RUN:
        return run_claim(alert, style)
    return f"{style.text(alert.title)} · {_budget_of(alert, style)} {used(alert)} (estimate)"


def used(alert: Alert) -> str:
    """Return ``81 % used``, or ``ended at 120 %`` once the period is over.

    Of a forecast ``on course to pass 100 %``.
    """
    if alert.basis is Basis.FORECAST:
        return f"on course to pass {alert.percent} %"
    level = percent(alert.spent_nanos, alert.amount_nanos, places=0)
    return f"ended at {level}" if is_over(alert) else f"{level} used"


def amount_line(alert: Alert, style: Style = PLAIN) -> str:
    """Return ``$9,740 of $12,000 (81.2 %) · 8 days left · 100 % expected Tue 24 Nov ~16:00 (24-25 Nov)``."""
    if alert.basis is Basis.RUN:
        return run_amount(alert, style)
    spent, amount = (style.strong(money(alert, nanos)) for nanos in (alert.spent_nanos, alert.amount_nanos))
    share = percent(alert.spent_nanos, alert.amount_nanos)
    return joined(f"{spent} of {amount} ({share})", _left(alert), _crossing(alert))


def forecast_line(alert: Alert, style: Style = PLAIN) -> str:
    """Return ``On course to reach $14,200 by Mon 30 Nov ($13,100 to $15,300)``, where a forecast was made."""
    if alert.forecast_nanos is None:
        return ""
    last = day_words(date.fromisoformat(alert.period_end) - timedelta(days=1))
    line = f"On course to reach {style.strong(money(alert, alert.forecast_nanos))} by {last}"
    low, high = alert.forecast_low_nanos, alert.forecast_high_nanos
    if low is None or high is None or low == high:
        return line
    return f"{line} ({money(alert, low)} to {money(alert, high)})"


def recent_line(alert: Alert, style: Style = PLAIN) -> str:
    """Return ``+$2,310 in the last 24 h, 92 % of it from hpo-resnet · $1,480 by runs still running``.

    On a period's first day that is what was spent ``today``: of a run that began before it, only the time since counts.
    """
    recent = ""
    if alert.recent_nanos > 0:
        today = local(alert.as_of_ms, alert.timezone).date().isoformat()
        began = alert.period_start == today and not _is_rolling(alert)  # of a rolling one it is the episode's start
        span = "today" if began else "in the last 24 h"
        recent = f"+{human(alert.recent_nanos, alert.currency)} {span}"
        if alert.recent_run and alert.recent_share:
            recent += f", {alert.recent_share} % of it from {style.text(alert.recent_run)}"
    accruing = ""
    if alert.accruing_nanos > 0:
        accruing = f"{human(alert.accruing_nanos, alert.currency)} by runs still running"
    return joined(recent, accruing)


def more_line(alert: Alert, shown: int) -> str:
    """Return ``and 12 more runs`` besides the first ``shown``."""
    more = max(len(alert.top) - shown, 0) + alert.more_runs
    return f"and {more:,} more run{'s' if more > 1 else ''}" if more else ""


def coverage_line(alert: Alert, style: Style = PLAIN) -> str:
    """Return ``94 % priced · $120 suspected stale, not counted · list prices us-east-1``."""
    stale = human(alert.stale_nanos, alert.currency) if alert.stale_nanos else ""
    return joined(
        f"{alert.priced_percent} % of run time priced" if alert.coverage_shown else "",
        without_price(alert.unpriced_tokens),
        "some rates assumed" if alert.low_confidence else "",
        f"{stale} suspected stale, not counted" if stale else "",
        style.text(alert.price_note) if alert.price_note else "",
    )


def id_line(alert: Alert, style: Style = PLAIN) -> str:
    """Return ``A-7F3K · budget every-team · crossed 80 %, 100 % · data of Mon 23 Nov 14:32``."""
    thresholds = () if alert.basis is Basis.RUN else _few(alert.crossed)
    crossed = ", ".join(each.replace("%", " %") for each in thresholds)
    again = " again" if alert.reason == "reopened" else ""
    return joined(
        alert.id,
        f"budget {style.text(alert.budget)}" if alert.budget != alert.title else "",
        f"crossed {crossed}{again}" if crossed else "",
        f"data of {moment(alert.as_of_ms, alert.timezone)}",
        "⚠️ a source could not be read since" if alert.stale else "",
    )


def _few(crossed: tuple[str, ...]) -> tuple[str, ...]:
    """Return the crossed thresholds as people read them: a tiny budget crosses forty at once."""
    actual = tuple(each for each in crossed if not each.startswith("forecast"))
    if len(actual) <= _CROSSED_SHOWN:
        return crossed
    rest = tuple(each for each in crossed if each.startswith("forecast"))
    return (*actual[: _CROSSED_SHOWN - 2], "...", actual[-1], *rest)


def state_line(state: AlertState, timezone: str, style: Style = PLAIN) -> str:
    """Return ``Acknowledged by ana, Mon 23 Nov 14:40 · quiet until the next threshold``; ``""`` while firing."""
    if state.status is AlertStatus.FIRING:
        return ""
    who = f" by {_who(state.by, style)}" if state.by else ""
    when = f", {moment(state.at_ms, timezone)}" if state.at_ms else ""
    note = style.safe(state.note, _NOTE_LIMIT) if state.note else ""
    if state.is_closed:
        return f"The {note}{when}"
    if state.status is AlertStatus.RESOLVED:
        return joined(f"Resolved{who}{when}", note)
    quiet = f"quiet until {style.text(state.until)}" if state.until else ""
    return joined(f"{state.status.capitalize()}{who}{when}", quiet, f"“{note}”" if note else "")


def _who(actor: str, style: Style) -> str:
    return style.who(actor) if style.who else style.text(actor_name(actor))


def group_title(message: Message, style: Style = PLAIN) -> str:
    """Return what a message of several alerts is about; its own title, where it has one, wins."""
    if message.title:
        return style.safe(message.title, _NOTE_LIMIT)
    if message.kind is MessageKind.OPENING:
        return "Watching your budgets; these are already over a threshold"
    count, runs = len(message.alerts), sum(each.basis is Basis.RUN for each in message.alerts)
    if runs:
        return _runs_title(runs, count - runs)
    if all(map(is_reminder, message.alerts)):
        return f"{count} budgets still need somebody" if count > 1 else "A budget still needs somebody"
    return f"{count} budgets crossed a threshold" if count > 1 else "A budget crossed a threshold"


def _runs_title(runs: int, budgets: int) -> str:
    over = f"{runs} runs passed their limit" if runs > 1 else "A run passed its limit"
    crossed = f"{budgets} budgets crossed a threshold" if budgets > 1 else "a budget crossed a threshold"
    return f"{over}, {crossed}" if budgets else over


def opening_title(budgets: int) -> str:
    """Return the title of an opening message: how many budgets are watched from now on."""
    return f"Watching {budgets:,} budget{'' if budgets == 1 else 's'}; these are already over a threshold"


def is_single(message: Message) -> bool:
    """Whether a message tells of one alert and nothing else; opening messages list, one handed over says why first."""
    return len(message.alerts) == 1 and message.kind is not MessageKind.OPENING and not message.title


def subject(message: Message, states: Mapping[str, AlertState] | None = None) -> str:
    """Return one line for a subject or a notification: what, how far, how many more; at most 150 characters."""
    known = states or {}
    if not message.alerts:
        return one_line(message.title or message.text, 150)
    first = message.alerts[0]
    if is_single(message):
        return one_line(headline(first, known.get(first.id, FIRING)), 150)
    names = [f"{one_line(each.title, 30)} {_level(each)}" for each in message.alerts[:3]]
    more = len(message.alerts) - len(names)
    tail = f" and {more} more" if more else ""
    return one_line(f"{icon(first)} {group_title(message)}: {', '.join(names)}{tail}", 150)


def _level(alert: Alert) -> str:
    """Return how far an alert's budget is, shortest: ``81 %`` or ``forecast 100 %``."""
    if alert.basis is Basis.RUN:
        return run_level(alert)
    if alert.basis is Basis.FORECAST:
        return f"forecast {alert.percent} %"
    return percent(alert.spent_nanos, alert.amount_nanos, places=0)


def _budget_of(alert: Alert, style: Style) -> str:
    period = style.text(alert.period)
    if " " not in period or period.startswith("Q"):
        return f"{period} budget"
    article = "the " if period.startswith(("last ", "week ")) else ""
    return f"budget for {article}{period}"


def _is_rolling(alert: Alert) -> bool:
    return alert.period.startswith("last ")


def _left(alert: Alert) -> str:
    if _is_rolling(alert):  # it never ends
        return ""
    if is_over(alert):
        return "period over"
    return "ends today" if alert.days_left == 1 else f"{alert.days_left} days left"


def _crossing(alert: Alert) -> str:
    at_ms = alert.crossing_ms
    if at_ms is None or alert.spent_nanos >= alert.amount_nanos:
        return ""
    at = local(at_ms + HOUR_MS // 2, alert.timezone)
    return f"100 % expected {day_words(at)} ~{at:%H}:00{_band(alert, at.date())}"


def _band(alert: Alert, crossing: date) -> str:
    if alert.crossing_low_ms is None:
        return ""
    low = local(alert.crossing_low_ms, alert.timezone)
    if alert.crossing_high_ms is None:  # perhaps it isn't crossed in this period
        return "" if low.date() == crossing else f" ({low.day} {low:%b} at the earliest)"
    high = local(alert.crossing_high_ms, alert.timezone)
    if low.date() == high.date():
        return ""
    first = f"{low.day}" if (low.year, low.month) == (high.year, high.month) else f"{low.day} {low:%b}"
    return f" ({first}-{high.day} {high:%b})"
