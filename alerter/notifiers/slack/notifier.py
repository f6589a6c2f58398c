"""Deliver alerts to Slack channels, exactly once where the scopes allow it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from alerter.core.alerts import AlertState, Message
from alerter.core.ports import (
    THREAD,
    DeliveryAmbiguousError,
    DeliveryDelayedError,
    DeliveryRejectedError,
    Finding,
    Receipt,
    Target,
)
from alerter.notifiers.slack import blocks, limits
from alerter.notifiers.slack.channels import Channels
from alerter.notifiers.slack.checks import check_slack
from alerter.notifiers.slack.client import Answer, SlackApi
from alerter.notifiers.slack.errors import ChannelUnknownError, LayoutRefusedError, MessageGoneError
from alerter.notifiers.slack.pace import Pace

log = logging.getLogger(__name__)

SLACK_URL = "https://slack.com/api/"
EVENT_TYPE = "budget_alert"
"""``metadata.event_type`` of every message; ``event_payload.key`` is the notification's key."""

_SECOND_POST_WITHIN = 15.0  # seconds; with its own time-out it still ends within the outbox's lease of 30 s
_CLOCK_SKEW_MS = 300_000  # Slack's clock and ours may differ; a look-up too far back only reads a little more


class SlackNotifier:
    """Posts by ``chat.postMessage`` with a bot token.

    Args:
        token: the bot token, ``xoxb-...``; never shown.
        base_url: of the Web API; another for a test server.
        timeout: seconds until a call counts as ambiguous.
        pace: seconds between two posts to one channel.
        stop: ends every wait when set.
        clock: seconds, for pacing, and for how long a connection stays open.
        backoff: seconds before an edit or a read is repeated, doubled each time.
    """

    kind = "slack"

    def __init__(
        self,
        token: str,
        *,
        base_url: str = SLACK_URL,
        timeout: int = 10,
        pace: float = 1.0,
        stop: threading.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
        backoff: float = 0.5,
    ) -> None:
        stopping = stop or threading.Event()
        self._api = SlackApi(token, base_url=base_url, timeout=timeout, stop=stopping, backoff=backoff, clock=clock)
        self._channels = Channels(self._api)
        self._clock = clock
        self._pace = Pace(pace, clock, stopping)

    def send(
        self,
        target: Target,
        message: Message,
        states: Mapping[str, AlertState],
        key: str,
        thread: Receipt | None = None,
    ) -> Receipt:
        """Post a message to the target's ``channel``; the receipt holds its channel id and ``ts``.

        With ``thread`` it becomes a reply, and is shown in the channel too, a mere reminder aside. Where that message
        was deleted it is posted by itself.

        Raises:
            DeliveryRejectedError, DeliveryDelayedError, DeliveryAmbiguousError: see each.
        """
        channel = _channel(target)
        began = self._clock()
        self._pace.wait(channel)
        post = _Post(channel, message, states, key, began)
        try:
            return self._send(post, thread)
        except MessageGoneError:
            if thread is None:
                raise
            log.info("the message to reply to is gone, posting anew channel=%s key=%s", channel, key)
            return self._send(post, None)
        except DeliveryDelayedError as error:
            if error.retry_after:
                self._pace.hold(channel, error.retry_after)
            raise

    def _send(self, post: _Post, thread: Receipt | None) -> Receipt:
        made = self._body(post.message, post.states, post.key, reply=thread is not None)
        body = {**made, "unfurl_links": False, "unfurl_media": False}
        if thread is not None:
            body |= {"thread_ts": thread.reference["ts"], "reply_broadcast": blocks.is_broadcast(post.message)}
        data, channel = self._post(post.channel, body, post.began), post.channel
        channel_id, ts = data.get("channel"), data.get("ts")
        if not isinstance(channel_id, str) or not isinstance(ts, str):
            raise DeliveryAmbiguousError(f"Slack's answer for {channel} names no message: it may have been delivered")
        self._channels.learn(channel, channel_id)
        return _receipt(channel_id, ts, thread)

    def find(self, target: Target, key: str, since_ms: int, thread: Receipt | None = None) -> Receipt | None:
        """Look for a message with this key in the thread, then in the channel's history, since an instant.

        None if it isn't there, or where the scope ``channels:history`` is missing.

        Raises:
            DeliveryDelayedError: the look-up failed this time; look again before sending again.
        """
        channel = _channel(target)
        try:
            return self._find(channel, key, max(since_ms - _CLOCK_SKEW_MS, 0), thread)
        except DeliveryRejectedError as error:
            log.warning(
                "can't look up a message that may have been posted: it may come twice channel=%s error=%s",
                channel,
                error,
            )
            return None
        except DeliveryAmbiguousError as error:
            raise DeliveryDelayedError(str(error)) from None

    def update(
        self, target: Target, receipt: Receipt, message: Message, states: Mapping[str, AlertState], key: str
    ) -> None:
        """Edit a posted message so that it shows the present states; may be repeated.

        Raises:
            DeliveryRejectedError, DeliveryDelayedError, DeliveryAmbiguousError: see each.
        """
        where = {"channel": receipt.reference["channel"], "ts": receipt.reference["ts"]}
        body = self._body(message, states, key, reply=receipt.is_reply)
        self._layout("chat.update", {**where, **body}, self._api.rewrite, _channel(target))

    def check(self, targets: Collection[Target]) -> list[Finding]:
        """Return whether the token works, which scopes it lacks, and what is wrong with each channel."""
        return check_slack(self._api, self._channels, targets)

    def _post(self, channel: str, body: Mapping[str, Any], began: float) -> Mapping[str, Any]:
        known = self._channels.known(channel)
        try:
            return self._layout("chat.postMessage", {"channel": known, **body}, self._api.write, channel)
        except ChannelUnknownError:
            # A name may need its id, and a name learnt may have moved to another channel. Nothing was posted.
            found = self._look_up(channel)
            if found is None or found == known:
                raise
            if self._clock() - began > _SECOND_POST_WITHIN:
                raise DeliveryDelayedError(
                    f"Slack is slow to name {channel}'s id; it is kept for the next try"
                ) from None
            return self._layout("chat.postMessage", {"channel": found, **body}, self._api.write, channel)

    def _look_up(self, channel: str) -> str | None:
        try:
            return self._channels.look_up(channel)
        except DeliveryRejectedError:
            return None  # not allowed to list: Slack's first answer says more
        except DeliveryAmbiguousError as error:
            raise DeliveryDelayedError(str(error)) from None

    def _find(self, channel: str, key: str, oldest_ms: int, thread: Receipt | None) -> Receipt | None:
        channel_id = self._channels.id_of(channel)
        if channel_id is None:
            return None
        oldest = f"{oldest_ms // 1000}.000000"
        if thread is not None:
            with suppress(MessageGoneError):  # then it was posted by itself, if at all
                found = self._look_through(
                    "conversations.replies", f"a thread of {channel}", key, channel=channel_id, oldest=oldest,
                    ts=thread.reference["ts"],
                )  # fmt: skip
                if found is not None:
                    return _receipt(channel_id, found, thread)
        what = f"the history of {channel}"
        found = self._look_through("conversations.history", what, key, channel=channel_id, oldest=oldest)
        return None if found is None else _receipt(channel_id, found, None)

    def _look_through(self, method: str, what: str, key: str, **params: str) -> str | None:
        """Return the ``ts`` of the message with this key, or None; errors as of `SlackApi.read`."""
        for page in self._api.pages(method, what, include_all_metadata=True, **params):
            for posted in page.get("messages", []):
                if _key_of(posted) == key:
                    return str(posted["ts"])
        return None

    def _body(self, message: Message, states: Mapping[str, AlertState], key: str, *, reply: bool) -> dict[str, Any]:
        made = blocks.render(message, states, reply=reply)
        metadata = {"event_type": EVENT_TYPE, "event_payload": {"key": key}}
        body: dict[str, Any] = {"text": made.text, "metadata": metadata}
        if wrong := limits.problems(made.blocks, made.text, models=False):
            # A layout that Slack would refuse is a bug, yet no reason to keep an alert back.
            log.error("the message's blocks are invalid, sending text only problems=%s", wrong)
            return body
        return {**body, "blocks": made.blocks}

    def _layout(
        self, method: str, body: Mapping[str, Any], call: Callable[[str, Mapping[str, Any], str], Answer], name: str
    ) -> Mapping[str, Any]:
        try:
            answer = call(method, body, name)
        except LayoutRefusedError as error:
            if "blocks" not in body:
                raise
            log.exception("Slack refused the message's blocks, sending text only error=%s", error)  # noqa: TRY401
            answer = call(method, {**body, "blocks": []}, name)
        return answer.data


@dataclass(frozen=True, slots=True)
class _Post:
    """What is to be posted where; ``began`` is when, on the notifier's clock."""

    channel: str
    message: Message
    states: Mapping[str, AlertState]
    key: str
    began: float


def _receipt(channel_id: str, ts: str, thread: Receipt | None) -> Receipt:
    where = {"channel": channel_id, "ts": ts}
    return Receipt(where if thread is None else {**where, THREAD: thread.reference["ts"]})


def _channel(target: Target) -> str:
    channel = target.settings.get("channel", "")
    if not channel:
        raise DeliveryRejectedError(f"receiver {target.receiver} names no Slack channel; set slack.channel")
    return channel


def _key_of(posted: Mapping[str, Any]) -> object:
    metadata = posted.get("metadata") or {}
    return (metadata.get("event_payload") or {}).get("key")
