"""Whose budgets somebody may ask about and act on, where that depends on the channel they are in."""

from __future__ import annotations

from collections.abc import Collection

from alerter.config import Config
from alerter.core.budgets import Budget, Reach, Scope, receivers_for


def told_in(config: Config, channels: Collection[str]) -> Reach:
    """Reach the budgets whose alerts, reminders or escalations go to one of these Slack channels (ids or names)."""
    places = {_bare(each) for each in channels} - {""}
    here = {
        each.name for each in config.receivers if _bare(each.channels.get("slack", {}).get("channel", "")) in places
    }
    budgets = {each.name: each for each in config.budgets}

    def reaches(budget: str, scope: Scope) -> bool:
        found = budgets.get(budget)
        return found is not None and not here.isdisjoint(_told(found, scope, config.receiver_names))

    return reaches


def _told(budget: Budget, scope: Scope, known: frozenset[str]) -> set[str]:
    templates = [budget.receivers, *(each.receivers for each in budget.thresholds if each.receivers is not None)]
    if budget.rules.escalate_to:
        templates.append((budget.rules.escalate_to,))
    return {name for each in templates for name in receivers_for(each, scope, known)}


def _bare(channel: str) -> str:
    return channel.strip().removeprefix("#").casefold()
