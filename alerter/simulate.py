"""Which alerts budgets would have fired, and when, had they been there: reads a ledger, and writes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from alerter.check import unmatched
from alerter.config import Config
from alerter.core.budgets import Budget, Scope, receivers_for, scope_of
from alerter.core.charges import ChargeLine
from alerter.core.money import CurrencyMismatchError, human, plain
from alerter.core.periods import iso
from alerter.core.ports import Finding
from alerter.core.replay import Crossing, needed_since_ms, replay
from alerter.core.text import one_line
from alerter.core.usage import COMPONENTS
from alerter.core.wording import moment
from alerter.spending import accruals
from alerter.store import sources
from alerter.store.interning import Interner
from alerter.store.ledger import Charge, charges_within, history
from alerter.store.totals import Attribution, View

MARKDOWN_ROWS = 100
"""A comment on a pull request takes 65,536 characters."""

Lines = Mapping[int, Sequence[ChargeLine]]
"""Lines by their tag set."""


@dataclass(frozen=True, slots=True)
class SimulatedAlert:
    """A threshold that a scope would have crossed, and the receivers that would have been told."""

    budget: Budget
    scope: Scope
    crossing: Crossing
    receivers: tuple[str, ...]

    @property
    def title(self) -> str:
        """The budget and its tag values."""
        return " / ".join((self.budget.name, *(value for _, value in self.scope)))

    @property
    def when(self) -> str:
        """The instant in the budget's time zone, for people."""
        return f"{moment(self.crossing.at_ms, self.budget.timezone)} ({self.budget.timezone})"

    @property
    def crossed(self) -> str:
        """The threshold, written as alerts write it."""
        return str(self.crossing.threshold).replace("%", " %")

    @property
    def spent(self) -> str:
        """What had been spent of how much, for people."""
        spent, amount = (human(each, self.budget.currency) for each in (self.crossing.spent, self.crossing.amount))
        return f"{spent} of {amount}"


@dataclass(frozen=True, slots=True)
class Simulation:
    """What some budgets would have told.

    Attributes:
        window: start and end in epoch ms, no later than the data's time.
        alerts: in order of time.
        budgets, scopes: how many were looked at; scopes are those that some run counted for.
        unmatched: a finding for each budget that no run counted for.
    """

    window: tuple[int, int]
    alerts: tuple[SimulatedAlert, ...]
    budgets: int
    scopes: int
    unmatched: tuple[Finding, ...]

    @property
    def summary(self) -> str:
        """How many alerts of how many scopes, in one line."""
        told = len({(each.budget.id, each.scope) for each in self.alerts})
        alerts = f"{len(self.alerts):,} alert{'' if len(self.alerts) == 1 else 's'}"
        span = " to ".join(f"{iso(each)[:16]}Z" for each in self.window)
        return f"{alerts} of {told:,} of {self.scopes:,} scopes, {self.budgets:,} budgets, {span}"


def simulate(connection: Connection, config: Config, window: tuple[int, int]) -> Simulation:
    """Return which alerts the configuration's budgets would have fired within a window.

    The ledger is taken as it stands: its charges keep their prices, and what was corrected since counts corrected.

    Raises:
        CurrencyMismatchError: the ledger's charges are in another currency than a budget.
    """
    end_ms = min([window[1], *_complete(connection)])
    since_ms = min((needed_since_ms(each, window[0]) for each in config.budgets), default=window[0])
    interner = Interner()
    view = View(connection, {}, interner, Attribution((), config.tags, interner))
    lines = _read(view, since_ms, end_ms)
    tags = interner.tag_sets.values(connection, lines)
    cleaned = {key: config.tags.clean_all(pairs) for key, pairs in tags.items()}
    alerts: list[SimulatedAlert] = []
    findings = []
    scopes = 0
    for budget in config.budgets:
        found = _by_scope(budget, lines, cleaned)
        scopes += len(found)
        if not found and tags:
            findings.append(unmatched(budget, list(tags.values()), config.tags))
        for scope, held in found.items():
            alerts += _alerts(budget, scope, held, (window[0], end_ms), config.receiver_names)
    alerts.sort(key=lambda each: (each.crossing.at_ms, each.title))
    return Simulation((window[0], end_ms), tuple(alerts), len(config.budgets), scopes, tuple(findings))


def simulation_json(found: Simulation) -> dict[str, Any]:
    """Return it for scripts: money as decimal strings."""
    return {
        "period": [iso(each) for each in found.window],
        "budgets": found.budgets,
        "scopes": found.scopes,
        "alerts": [
            {
                "budget": each.budget.name,
                "scope": dict(each.scope),
                "period_start": each.crossing.period.start.isoformat(),
                "basis": each.crossing.threshold.basis.value,
                "threshold": each.crossing.threshold.percent,
                "at": iso(each.crossing.at_ms),
                "currency": each.budget.currency,
                "spent": plain(each.crossing.spent),
                "amount": plain(each.crossing.amount),
                "forecast": plain(each.crossing.forecast) if each.crossing.forecast is not None else None,
                "receivers": list(each.receivers),
            }
            for each in found.alerts
        ],
        "unmatched": [
            {"budget": each.subject.removeprefix("budget "), "remedy": each.remedy} for each in found.unmatched
        ],
    }


def simulation_markdown(found: Simulation) -> Iterator[str]:
    """Yield the lines of a comment on a pull request; names that runs gave stand where they can't format or mention."""
    yield f"**Budget simulation:** {found.summary}"
    yield ""
    if found.alerts:
        yield "| when | budget | period | threshold | spent (estimate) | told |"
        yield "|---|---|---|---|---:|---|"
    for each in found.alerts[:MARKDOWN_ROWS]:
        told = ", ".join(map(_code, each.receivers)) or "nobody"
        cells = (each.when, _code(each.title), _code(each.crossing.period.label()), each.crossed)
        yield f"| {' | '.join((*cells, each.spent, told))} |"
    if len(found.alerts) > MARKDOWN_ROWS:
        yield ""
        yield f"and {len(found.alerts) - MARKDOWN_ROWS:,} more"
    for finding in found.unmatched:
        yield ""
        yield f"⚠️ {_code(finding.subject)} {finding.text}: {_code(finding.remedy, 300)}"


def _code(text: str, limit: int = 120) -> str:
    """Return text as a code span within a table: nothing in it is markup, a mention or the cell's end."""
    return f"`{one_line(text, limit).replace('`', chr(39)).replace('|', chr(92) + '|') or ' '}`"


def _complete(connection: Connection) -> list[int]:
    read = [each.complete_ms for each in sources.states(connection) if each.complete_ms is not None]
    return [max(read)] if read else []


def _read(view: View, since_ms: int, end_ms: int) -> dict[int, list[ChargeLine]]:
    """Return what stands of the ledger, and what runs accrue, by tag set."""
    by_run: dict[int, list[Charge]] = defaultdict(list)
    for charge in charges_within(view.connection, since_ms, end_ms):
        by_run[charge.run_id].append(charge)
    rates = view.all_rates()
    lines: dict[int, list[ChargeLine]] = defaultdict(list)
    for rows in by_run.values():
        # Most were never corrected.
        standing = rows if all(charge.quantity > 0 for charge in rows) else history(rows).standing
        for charge in standing:
            line = ChargeLine(rates[charge.rate_id], charge.quantity, charge.start_ms, charge.end_ms)
            lines[charge.tag_set_id].append(line)
    for run in accruals(view, end_ms):
        for rate, quantity in run.lines if run.start_ms < run.as_of_ms else ():
            lines[run.tag_set_id].append(ChargeLine(rate, quantity, run.start_ms, run.as_of_ms))
    return lines


def _by_scope(budget: Budget, lines: Lines, cleaned: Mapping[int, Mapping[str, str]]) -> dict[Scope, list[ChargeLine]]:
    meters = frozenset().union(*(COMPONENTS[each] for each in budget.components))
    found: dict[Scope, list[ChargeLine]] = {}
    for tag_set_id, held in lines.items():
        scope = scope_of(budget, cleaned[tag_set_id])
        if scope is not None:
            counted = [line for line in held if not meters or line.meter in meters]
            found.setdefault(scope, []).extend(counted)
    for line in (line for held in found.values() for line in held):
        if line.rate.currency != budget.currency:
            raise CurrencyMismatchError(
                f"budget {budget.name} is in {budget.currency}, but the ledger's charges are in {line.rate.currency}"
            )
    return found


def _alerts(
    budget: Budget, scope: Scope, lines: Sequence[ChargeLine], window: tuple[int, int], known: frozenset[str]
) -> Iterator[SimulatedAlert]:
    for crossing in replay(budget, scope, lines, window):
        own = crossing.threshold.receivers
        told = receivers_for(budget.receivers if own is None else own, scope, known)
        yield SimulatedAlert(budget, scope, crossing, told)
