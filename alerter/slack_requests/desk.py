"""What the rest of the program does for a Slack request. Bootstrap wires it; tests pass a ten-line fake."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

from alerter.core.views import BudgetStatus, RunCost

Evidence = Mapping[str, Any]
"""What `alerter.explain.explain` returns."""


class Outcome(Protocol):
    """What an action did; `alerter.holds.Outcome` is one.

    Attributes:
        ok: whether it took effect, or had already.
        text: one plain-text sentence for the person, not yet escaped.
        code: for scripts, such as ``acknowledged`` or ``unknown``.
        alert_ids: public ids of the alerts concerned.
    """

    @property
    def ok(self) -> bool: ...  # noqa: D102 - see the class
    @property
    def text(self) -> str: ...  # noqa: D102
    @property
    def code(self) -> str: ...  # noqa: D102
    @property
    def alert_ids(self) -> tuple[str, ...]: ...  # noqa: D102


class Desk(Protocol):
    """The verbs a person has from Slack; each is safe to call from several threads and audits what it changes."""

    def within(self, channels: Collection[str]) -> Desk:
        """Return a desk that knows only the budgets that are told in a channel, given its id and names."""
        ...

    def acknowledge(self, reference: str, *, actor: str, via: str, note: str, until: str | None) -> Outcome:
        """Acknowledge an alert by public id, or what fires of a budget by name; ``until`` is in the asker's words."""
        ...

    def unacknowledge(self, reference: str, *, actor: str, via: str) -> Outcome:
        """Take an acknowledgement or a snooze back."""
        ...

    def snooze(self, reference: str, *, actor: str, via: str, note: str, until: str) -> Outcome:
        """Keep quiet what `acknowledge` would find; ``until`` is in the asker's words."""
        ...

    def explain(self, reference: str) -> Evidence | str:
        """Return what an alert's or a run's amount is made of, or a plain sentence why there is nothing to explain."""
        ...

    def status(self, name: str | None) -> Sequence[BudgetStatus]:
        """Return where budgets stand now; of one budget or scope title if ``name`` is given; empty if unknown."""
        ...

    def over(self, percent: Decimal) -> Sequence[BudgetStatus]:
        """Return the budgets whose utilization is at or over ``percent``."""
        ...

    def top(self, limit: int, name: str | None) -> Sequence[RunCost]:
        """Return the most expensive runs of the current periods, dearest first, at most ``limit``."""
        ...

    def refused(self, actor: str, via: str, what: str) -> None:
        """Put in the audit that somebody was refused what they asked for."""
        ...
