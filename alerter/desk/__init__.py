"""What a person asks for from Slack, done: the ledger's verbs behind one counter, with the services of the moment."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from alerter import holds
from alerter.core.budgets import Reach, everything
from alerter.core.text import one_line
from alerter.core.views import BudgetStatus, RunCost
from alerter.desk.reach import told_in
from alerter.explain import UnknownReferenceError, explain
from alerter.holds import Outcome
from alerter.ledger_lines import Json
from alerter.services import Services
from alerter.status import budget_status, named, top_runs


@dataclass(frozen=True, slots=True)
class FrontDesk:
    """Does what Slack requests ask for; safe to use from several threads.

    Attributes:
        current: gives the services of the moment, so that a reload takes effect.
        clock: the time in epoch milliseconds.
        changed: called after something was changed that messages show, so that they are updated at once.
        channels: where somebody asks from, if they are to reach only what is told there; None is no limit.
    """

    current: Callable[[], Services]
    clock: Callable[[], int]
    changed: Callable[[], None]
    channels: frozenset[str] | None = None

    def within(self, channels: Collection[str]) -> FrontDesk:
        """Return a desk that knows only the budgets that are told in these channels, ids or names of one place."""
        return replace(self, channels=frozenset(channels))

    def _reach(self) -> Reach:
        return everything if self.channels is None else told_in(self.current().config, self.channels)

    def acknowledge(self, reference: str, *, actor: str, via: str, note: str, until: str | None) -> Outcome:
        """Acknowledge an alert by public id, or what fires of a budget by name.

        Raises:
            StoreError: the database can't be written; nothing was changed.
        """
        store = self.current().store
        outcome = holds.acknowledge(
            store, reference, actor=actor, via=via, now_ms=self.clock(), note=note, until=until, reaches=self._reach()
        )
        self.changed()
        return outcome

    def unacknowledge(self, reference: str, *, actor: str, via: str) -> Outcome:
        """Take an acknowledgement back.

        Raises:
            StoreError: the database can't be written; nothing was changed.
        """
        store = self.current().store
        outcome = holds.unacknowledge(
            store, reference, actor=actor, via=via, now_ms=self.clock(), reaches=self._reach()
        )
        self.changed()
        return outcome

    def snooze(self, reference: str, *, actor: str, via: str, note: str, until: str) -> Outcome:
        """Keep what fires of an alert's id or a budget's name quiet until a time.

        Raises:
            StoreError: the database can't be written; nothing was changed.
        """
        store = self.current().store
        outcome = holds.snooze(
            store, reference, actor=actor, via=via, now_ms=self.clock(), note=note, until=until, reaches=self._reach()
        )
        self.changed()
        return outcome

    def explain(self, reference: str) -> Json | str:
        """Return what an alert's or a run's amount is made of, or a plain sentence why there is nothing to explain."""
        try:
            with self.current().windows.read() as view:
                found = explain(view, reference, self.clock())
        except UnknownReferenceError as error:
            return str(error)
        reaches = self._reach()
        parts = [found["alert"]] if "alert" in found else found["budgets"]
        if parts and not any(reaches(each["budget"], tuple(each["scope"].items())) for each in parts):
            return f"{one_line(reference)} is of a budget that is not told in this channel"
        return found

    def status(self, name: str | None) -> Sequence[BudgetStatus]:
        """Return where budgets stand now; of one budget or scope title if ``name`` is given; empty if unknown."""
        with self.current().windows.read() as view:
            reaches = self._reach()
            rows = [each for each in budget_status(view, self.clock()) if reaches(each.budget, each.scope)]
        return rows if name is None else named(rows, name)

    def over(self, percent: Decimal) -> Sequence[BudgetStatus]:
        """Return the budgets whose utilization is at or over ``percent``."""
        return [row for row in self.status(None) if row.percent >= percent]

    def top(self, limit: int, name: str | None) -> Sequence[RunCost]:
        """Return the most expensive runs of the current periods, dearest first, at most ``limit``."""
        services = self.current()
        with services.windows.read() as view:
            return top_runs(view, services.describer, self.clock(), limit=limit, name=name, reaches=self._reach())

    def refused(self, actor: str, via: str, what: str) -> None:
        """Put in the audit that somebody was refused what they asked for.

        Raises:
            StoreError: the database can't be written.
        """
        holds.record_refusal(self.current().store, actor=actor, via=via, what=what, now_ms=self.clock())
