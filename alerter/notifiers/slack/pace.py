"""About one message a second and channel: Slack's limit, kept rather than run into."""

from __future__ import annotations

import threading
from collections.abc import Callable

from alerter.core.ports import DeliveryDelayedError

LONGEST_WAIT = 5.0
"""Seconds to wait for a turn; a longer one goes back to the outbox, whose lease would run out."""


class Pace:
    """Turns to post, by channel, on a clock of seconds. Waiting ends when the program stops."""

    def __init__(self, every: float, clock: Callable[[], float], stop: threading.Event) -> None:
        self._every = every
        self._clock = clock
        self._stop = stop
        self._next: dict[str, float] = {}
        self._tidied = 0.0
        self._lock = threading.Lock()

    def wait(self, channel: str) -> None:
        """Sleep until the channel may be posted to, and take that turn.

        Raises:
            DeliveryDelayedError: the turn is too far off, or the program is stopping; nothing was sent.
        """
        with self._lock:
            now = self._clock()
            turn = max(now, self._next.get(channel, now))
            if turn - now > LONGEST_WAIT:
                raise DeliveryDelayedError(f"{channel} is over Slack's rate limit", turn - now)
            self._next[channel] = turn + self._every
            self._tidy(now)
        if self._stop.wait(turn - now):
            raise DeliveryDelayedError(f"stopping before {channel} could be posted to")

    def _tidy(self, now: float) -> None:
        """Forget what is past; seldom, as it takes a look at every channel."""
        if now - self._tidied > self._every:
            self._tidied = now
            self._next = {name: at for name, at in self._next.items() if at > now}

    def hold(self, channel: str, seconds: float) -> None:
        """Give no turn before so many seconds have passed: Slack said so."""
        with self._lock:
            self._next[channel] = max(self._next.get(channel, 0.0), self._clock() + seconds)
