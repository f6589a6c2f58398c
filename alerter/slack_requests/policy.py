"""Who may use the Slack commands and buttons: allow-lists of teams, channels and users."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from alerter.core.text import one_line


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, from where, as Slack says: ids decide, names are only shown."""

    team: str
    channel: str
    channel_name: str
    user: str
    user_name: str

    @property
    def actor(self) -> str:
        """How the audit names them: ``slack:U123 (anna)``."""
        name = one_line(self.user_name, 60)
        user = one_line(self.user, 40) or "unknown"
        return f"slack:{user} ({name})" if name else f"slack:{user}"

    @property
    def places(self) -> frozenset[str]:
        """The channel's id, and its name with and without ``#``."""
        return frozenset({self.channel, self.channel_name, f"#{self.channel_name}"} - {"", "#"})


@dataclass(frozen=True, slots=True)
class Policy:
    """Allow-lists; an empty one allows everybody in the workspace.

    Attributes:
        teams: workspace ids such as ``T01ABC``.
        channels: channel ids, or names with or without ``#`` (a direct message has no name).
        users: user ids such as ``U01ABC``; display names are not accepted, anybody can take one.
        own_budgets_only: a channel reaches only the budgets that are told in it.
    """

    teams: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    own_budgets_only: bool = False

    def refusal(self, asker: Asker) -> str | None:
        """Return why this asker may not, in a sentence for them; None if they may."""
        if self.teams and asker.team not in self.teams:
            return "Sorry, this workspace may not use the budget commands."
        if self.users and asker.user not in self.users:
            return "Sorry, you are not among those who may use the budget commands. Ask whoever runs the alerter."
        if self.channels and not self._has_channel(asker):
            return "Sorry, the budget commands don't work in this channel. Try the channel that gets the alerts."
        return None

    def _has_channel(self, asker: Asker) -> bool:
        return not asker.places.isdisjoint(self.channels)


def asker_of_command(form: Mapping[str, str]) -> Asker:
    """Return who sent a slash command, from its form fields."""
    return Asker(
        team=form.get("team_id", ""),
        channel=form.get("channel_id", ""),
        channel_name=form.get("channel_name", ""),
        user=form.get("user_id", ""),
        user_name=form.get("user_name", ""),
    )


def asker_of_interaction(payload: Mapping[str, object]) -> Asker:
    """Return who pressed a button, from its payload."""
    user, channel = _part(payload, "user"), _part(payload, "channel")
    return Asker(
        team=_text(_part(payload, "team"), "id") or _text(user, "team_id"),
        channel=_text(channel, "id") or _text(_part(payload, "container"), "channel_id"),
        channel_name=_text(channel, "name"),
        user=_text(user, "id"),
        user_name=_text(user, "username") or _text(user, "name"),
    )


def _part(payload: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = payload.get(key)
    return value if isinstance(value, dict) else {}


def _text(part: Mapping[str, object], key: str) -> str:
    value = part.get(key)
    return value if isinstance(value, str) else ""
