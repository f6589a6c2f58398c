"""The lines of ``alerter check`` on Slack: the token, its scopes, each channel. Nothing is posted."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from alerter.core.ports import DeliveryError, Finding, Target
from alerter.core.text import one_line
from alerter.notifiers.slack.channels import Channels
from alerter.notifiers.slack.client import Answer, SlackApi

_SCOPES = {
    "chat:write": ("error", "no message can be sent"),
    "channels:read": ("warning", "channel names can't be looked up or checked"),
    "channels:history": ("warning", "after a broken connection a message may come twice"),
}
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
    found = [Finding("ok", "slack", f"the token is {bot}'s in {team}"), *_scopes(answer)]
    try:
        known = channels.all()
    except DeliveryError as error:
        return [*found, Finding("warning", "slack", f"channels can't be checked: {error}")]
    return found + [_target(each, known, answer) for each in targets]


def _scopes(answer: Answer) -> list[Finding]:
    if not answer.scopes:
        return [Finding("warning", "slack", "the server doesn't say which scopes the token has")]
    missing = [(scope, *cost) for scope, cost in _SCOPES.items() if scope not in answer.scopes]
    return [
        Finding(level, f"slack scope {scope}", f"missing: {cost}", _ADD_SCOPE) for scope, level, cost in missing
    ] or [Finding("ok", "slack", "the token has every scope that is needed")]


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
    if channel.get("is_private") and answer.scopes and "groups:history" not in answer.scopes:
        text = f"{name} is private, no scope groups:history: after a broken connection a message may come twice"
        return Finding("warning", subject, text, _ADD_SCOPE)
    return Finding("ok", subject, f"{name} can be posted to")
