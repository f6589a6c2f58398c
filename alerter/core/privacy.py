"""What a channel that many people read is not told: who started a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from alerter.core.alerts import Alert, Digest, DigestBudget, Message, RunEvidence
from alerter.core.views import title_of

USER = "user"
HIDDEN = "(user)"
"""What stands for a user where a budget has one scope for each."""


def without_users(message: Message) -> Message:
    """Return a message that names no user of a run; who acknowledged it is shown all the same."""
    digest = None if message.digest is None else _digest(message.digest)
    return replace(message, alerts=tuple(map(_alert, message.alerts)), digest=digest)


def _alert(alert: Alert) -> Alert:
    alert = replace(alert, top=_runs(alert.top))
    if not any(key == USER for key, _ in alert.scope):
        return alert
    scope = tuple((key, HIDDEN if key == USER else value) for key, value in alert.scope)
    return replace(alert, scope=scope, title=title_of(alert.budget, scope))


def _digest(digest: Digest) -> Digest:
    return replace(
        digest,
        budgets=tuple(map(_budget, digest.budgets)),
        movers=tuple(map(_budget, digest.movers)),
        top=_runs(digest.top),
        stale=_runs(digest.stale),
    )


def _budget(budget: DigestBudget) -> DigestBudget:
    return replace(budget, title=HIDDEN) if budget.names_user else budget


def _runs(runs: Iterable[RunEvidence]) -> tuple[RunEvidence, ...]:
    return tuple(replace(run, user="") for run in runs)
