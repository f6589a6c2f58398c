"""The words of runs: those behind a number, and one that passed the limit of a single run."""

from __future__ import annotations

from alerter.core.alerts import Alert, RunEvidence
from alerter.core.money import NANOS, human
from alerter.core.text import joined
from alerter.core.wording.style import PLAIN, Style, percent


def run_line(run: RunEvidence, currency: str, style: Style = PLAIN) -> str:
    """Return ``trial-14 · ann · running · 4 x p4d.24xlarge (from num_workers) · $88/h · $1,480``."""
    return joined(style.text(run.name) or style.text(run.run_uuid), run_facts(run, currency, style))


def run_facts(run: RunEvidence, currency: str, style: Style = PLAIN) -> str:
    """Return a run's line without its name, for media that make a link of that."""
    burn = _burn(run, currency) if _burns(run) else ""
    machine = style.text(run.machine) if run.machine else ""
    state = "running" if run.running else "ended"
    if run.stale_nanos:
        state = f"suspected stale, {human(run.stale_nanos, currency)} not counted"
    return joined(style.text(run.user), state, machine, burn, human(run.cost_nanos, currency))


def run_claim(alert: Alert, style: Style = PLAIN) -> str:
    """Return ``trial-14 has cost $212, over $200 a run (estimate)``."""
    return f"{_name(alert, style)} has cost {human(alert.spent_nanos, alert.currency)}, {run_over(alert)} (estimate)"


def run_over(alert: Alert) -> str:
    """Return ``over $200 a run``."""
    return f"over {human(alert.amount_nanos, alert.currency)} a run"


def run_level(alert: Alert) -> str:
    """Return ``trial-14 at $212``, for a list of several alerts."""
    return f"{_name(alert, PLAIN)} at {human(alert.spent_nanos, alert.currency)}"


def run_amount(alert: Alert, style: Style = PLAIN) -> str:
    """Return ``$212 of $200 a run (106.0 %) · running at $88/h · vision: November budget 81.2 % used``."""
    spent, limit = (style.strong(human(nanos, alert.currency)) for nanos in (alert.spent_nanos, alert.amount_nanos))
    run = alert.top[0] if alert.top else None
    burn = ""
    if run is not None:
        burn = f"running at {_burn(run, alert.currency)}" if _burns(run) else "" if run.running else "ended"
    used = percent(alert.budget_spent_nanos, alert.budget_amount_nanos)
    return joined(
        f"{spent} of {limit} a run ({percent(alert.spent_nanos, alert.amount_nanos)})",
        burn,
        f"{style.text(alert.title)}: {style.text(alert.period)} budget {used} used",
    )


def _name(alert: Alert, style: Style) -> str:
    return style.text(alert.top[0].name or alert.top[0].run_uuid) if alert.top else "A run"


def _burns(run: RunEvidence) -> bool:
    return run.running and run.per_hour_nanos > 0


def _burn(run: RunEvidence, currency: str) -> str:
    return f"{human(run.per_hour_nanos, currency, cents=run.per_hour_nanos < 10 * NANOS)}/h"
