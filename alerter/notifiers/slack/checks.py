"""The lines of ``alerter check`` on Slack: the token, its scopes, each channel. Nothing is posted."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from alerter.core.ports import DeliveryError, Finding, Target
from alerter.core.text import one_line
from alerter.notifiers.slack.channels import Channels
from alerter.notifiers.slack.client import Answer, SlackApi

_ALWAYS = {"chat:write": ("error", "no message can be sent")}
_TWICE = "after a broken connection a message may come twice in"
_PUBLIC = {
    "channels:read": ("warning", "names of public channels can't be looked up or checked:"),
    "channels:history": ("warning", f"{_TWICE} public channels:"),
}
_PRIVATE = {
    "groups:read": ("warning", "names of private channels can't be looked up or checked:"),
    "groups:history": ("warning", f"{_TWICE} private channels:"),
}
"""Scopes by the channels that need them: what lacks without each, which is all that it costs."""

_PERHAPS = ": it may have been delivered"
_AGAIN = "try again in a minute; if it stays, look at https://slack-status.com and the proxy in between"
_ADD_SCOPE = "add the scope under OAuth & Permissions and reinstall the Slack app"


def check_slack(api: SlackApi, channels: Channels, targets: Collection[Target]) -> list[Finding]:
    """Return the findings on a bot token and the channels of these targets."""
    try:
        answer = api.read("auth.test", "auth.test")
    except DeliveryError as error:
        # Nothing is posted here: what a post's failure leaves open doesn't concern it.
        text, _, remedy = str(error).replace(_PERHAPS, "").partition("; ")
        return [Finding("error", "slack", text, remedy or _AGAIN)]
    team, bot = (one_line(str(answer.data.get(name, "?"))) for name in ("team", "user"))
    found = [Finding("ok", "slack", f"the token is {bot}'s in {team}")]
    try:
        known = channels.all()
    except DeliveryError as error:
        scopes = _scopes(answer, [each.settings.get("channel", "") for each in targets], [])
        return [*found, *scopes, Finding("warning", "slack", f"channels can't be checked: {error}")]
    return [*found, *_scopes(answer, *_kinds(targets, known)), *(_target(each, known, answer) for each in targets)]


def _kinds(targets: Collection[Target], known: list[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """Return the public and the private channels among the targets; one that nobody sees counts as public."""
    public: list[str] = []
    private: list[str] = []
    for each in targets:
        name = each.settings.get("channel", "")
        channel = Channels.info(name, known)
        (private if channel is not None and channel.get("is_private") else public).append(name)
    return public, private


def _scopes(answer: Answer, public: Collection[str], private: Collection[str]) -> list[Finding]:
    if not answer.scopes:
        return [Finding("warning", "slack", "the server doesn't say which scopes the token has")]
    missing = []
    for wanted, names in ((_ALWAYS, None), (_PUBLIC, public), (_PRIVATE, private)):
        for scope, (level, cost) in wanted.items():
            if scope not in answer.scopes and (names is None or names):
                where = f" {', '.join(sorted(set(names)))}" if names else ""
                missing.append(Finding(level, f"slack scope {scope}", f"missing: {cost}{where}", _ADD_SCOPE))
    return missing or [Finding("ok", "slack", "the token has every scope that these channels need")]


def _target(target: Target, known: list[Mapping[str, Any]], answer: Answer) -> Finding:
    subject, name = f"receiver {target.receiver}", target.settings.get("channel", "")
    channel = Channels.info(name, known)
    if channel is None:
        hint = "" if "groups:read" in answer.scopes else " (a private one needs the scope groups:read to be seen)"
        return Finding(
            "error", subject, f"no channel {name} that the bot can see{hint}", "correct slack.channel or invite the bot"
        )
    if channel.get("is_archived"):
        return Finding("error", subject, f"{name} is archived", "restore the channel or correct slack.channel")
    if channel.get("is_member") is False and "chat:write.public" not in answer.scopes:
        return Finding("error", subject, f"the bot is not in {name}", "in that channel: /invite the bot")
    return Finding("ok", subject, f"{name} can be posted to")
