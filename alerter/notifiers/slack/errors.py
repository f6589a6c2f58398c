"""What a failed Slack call means: refused for good, not this time, or perhaps delivered; with the remedy.

Slack's error codes are listed at https://docs.slack.dev/reference/methods/chat.postMessage. Nothing that Slack or a
proxy answered is quoted, a well-formed code aside: an answer may repeat the request, and with it the token.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from socket import gaierror
from typing import Any

from alerter.core.ports import DeliveryAmbiguousError, DeliveryDelayedError, DeliveryError, DeliveryRejectedError

_RENEW = "create a new bot token in the Slack app's settings and set SLACK_BOT_TOKEN"
_CHANNEL_SETTING = "correct the receiver's slack.channel"
REMEDIES = {
    "channel_not_found": f"{_CHANNEL_SETTING}, or invite the bot if the channel is private",
    "not_in_channel": "invite the bot: /invite @<its name> in that channel",
    "is_archived": f"restore the channel or {_CHANNEL_SETTING}",
    "restricted_action": "an administrator restricts who may post there: allow the bot or use another channel",
    "restricted_action_read_only_channel": "the channel is read-only: allow the bot to post or use another channel",
    "invalid_auth": _RENEW,
    "not_authed": "set SLACK_BOT_TOKEN",
    "token_revoked": _RENEW,
    "token_expired": _RENEW,
    "account_inactive": f"the bot's user was deactivated; {_RENEW}",
    "not_allowed_token_type": "SLACK_BOT_TOKEN must be a bot token (xoxb-...)",
    "missing_scope": "add the scopes of config/slack-app-manifest.yaml to the Slack app and reinstall it",
    "no_permission": "add the scopes of config/slack-app-manifest.yaml to the Slack app and reinstall it",
    "ekm_access_denied": "an administrator has suspended posting: ask them",
    "team_access_not_granted": "approve the Slack app for this workspace",
    "access_denied": "approve the Slack app for this workspace",
    "org_login_required": "the workspace is being migrated to an organisation: wait or ask an administrator",
    "message_not_found": "the message was deleted in Slack; nothing to do",
    "thread_not_found": "the thread was deleted in Slack; nothing to do",
    "cannot_reply_to_message": "Slack takes no replies to that message; nothing to do",
    "cant_update_message": "another app posted the message; nothing to do",
    "edit_window_closed": "the workspace forbids late edits; nothing to do",
    "invalid_blocks": "please report this message layout as a bug",
    "invalid_blocks_format": "please report this message layout as a bug",
    "msg_too_long": "please report this message layout as a bug",
}
_LATER = {
    "ratelimited": 30.0,
    "rate_limited": 30.0,
    "message_limit_exceeded": 60.0,
    "request_timeout": None,
    "team_added_to_org": 60.0,
}
_AMBIGUOUS = frozenset({"internal_error", "fatal_error", "service_unavailable"})
_UNREACHED: dict[type[BaseException], str] = {
    ConnectionRefusedError: "connection refused",
    gaierror: "its name was not found",
    TimeoutError: "time-out",
}
_CODE = re.compile(r"^[a-z][a-z0-9_]{1,60}$")
_RETRY_DEFAULT = 30.0
_RETRY_MOST = 3600.0


class LayoutRefusedError(DeliveryRejectedError):
    """Slack took the request but not its blocks; the same text without them may still be taken."""


class ChannelUnknownError(DeliveryRejectedError):
    """There is no channel of this name or id, or the bot can't see it."""


class MessageGoneError(DeliveryRejectedError):
    """The message that was to be edited or replied to is no longer there."""


class ScopeMissingError(DeliveryRejectedError):
    """The token lacks a scope for this call."""


_KINDS: dict[str, type[DeliveryRejectedError]] = {
    "channel_not_found": ChannelUnknownError,
    "invalid_blocks": LayoutRefusedError,
    "invalid_blocks_format": LayoutRefusedError,
    "msg_blocks_too_long": LayoutRefusedError,
    "message_not_found": MessageGoneError,
    "thread_not_found": MessageGoneError,
    "cannot_reply_to_message": MessageGoneError,
    "missing_scope": ScopeMissingError,
    "no_permission": ScopeMissingError,
}


def answered(what: str, status: int, data: Mapping[str, Any], headers: Mapping[str, str]) -> DeliveryError:
    """Return what an answer other than ``ok: true`` means; ``what`` names the call's object, as in ``#ml-costs``."""
    code = _code(data)
    if status == 429 or code in _LATER:
        wait = _retry_after(headers) if status == 429 else _LATER[code]
        return DeliveryDelayedError(f"Slack can't take {what} now ({code or 'HTTP 429'})", wait)
    if status >= 500 or status == 408 or code in _AMBIGUOUS:
        return DeliveryAmbiguousError(
            f"Slack failed on {what} ({code or f'HTTP {status}'}): it may have been delivered"
        )
    if code:
        return _KINDS.get(code, DeliveryRejectedError)(f"Slack refused {what}: {code}; {remedy(code)}")
    if 400 <= status < 500:
        return DeliveryRejectedError(
            f"HTTP {status} instead of Slack's answer on {what}; check slack.base_url and the proxy"
        )
    return DeliveryAmbiguousError(f"an unreadable answer on {what}: it may have been delivered; is a proxy in between?")


def unanswered(what: str, error: Exception) -> DeliveryError:
    """Return what an exception in place of an answer means: only a failure to connect is sure not to have delivered."""
    from urllib3.exceptions import ConnectTimeoutError, ProxyError, TimeoutError as LateError  # noqa: PLC0415 - slow

    cause = _cause(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return DeliveryDelayedError(  # a clock or a proxy that is put right again
            f"Slack's certificate is not trusted ({cause.verify_message}), nothing was sent for {what}; "
            "install your proxy's CA certificate or set SSL_CERT_FILE"
        )
    if isinstance(error, (ConnectTimeoutError, ProxyError)):
        reason = _UNREACHED.get(type(cause), type(cause).__name__)
        where = "the proxy in between" if isinstance(error, ProxyError) else "the network and slack.base_url"
        return DeliveryDelayedError(f"Slack can't be reached for {what} ({reason}); check {where}")
    reason = "time-out" if isinstance(error, LateError) else type(cause).__name__
    return DeliveryAmbiguousError(f"the connection to Slack broke on {what} ({reason}): it may have been delivered")


def _cause(error: BaseException) -> BaseException:
    """Return what broke at the bottom of it: urllib3 keeps that in one place or the other."""
    deeper = error.__cause__ or next((each for each in error.args if isinstance(each, Exception)), None)
    return error if deeper is None else _cause(deeper)


def remedy(code: str) -> str:
    """Return what a person can do about an error code."""
    return REMEDIES.get(code, f"see https://docs.slack.dev/ for {code}")


def _code(data: Mapping[str, Any]) -> str:
    code = data.get("error")
    return code if isinstance(code, str) and _CODE.match(code) else ""


def _retry_after(headers: Mapping[str, str]) -> float:
    text = headers.get("retry-after", "")
    return min(float(text), _RETRY_MOST) if text.isascii() and text.isdigit() else _RETRY_DEFAULT
