"""The outbox worker: delivers in threads of its own, and is woken when there is news."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from alerter.daemon.pulse import Pulse
from alerter.delivery import Bell, OutboxOutage, deliver_until_stopped
from alerter.operators import fallback_of
from alerter.services import Services

log = logging.getLogger(__name__)

HANGS_AFTER_S = 300.0
"""A lane works off eight messages before it gives a sign of life again, each within its 30 s lease."""


class Outbox:
    """Delivers what is due until it is stopped; after that it can be started with other services."""

    def __init__(self, *, clock: Callable[[], int], owner: str, pulse: Pulse) -> None:
        self._clock = clock
        self._owner = owner
        self._pulse = pulse
        self._bell = Bell()
        self._outage = OutboxOutage()
        self._thread: threading.Thread | None = None
        self._parts: list[str] = []

    def start(self, services: Services, stop: threading.Event) -> None:
        """Deliver with these services until ``stop`` is set."""
        self._parts = [_part(kind) for kind in (*services.notifiers, "")]
        for part in self._parts:
            self._pulse.expect(part, HANGS_AFTER_S)
        self._thread = threading.Thread(target=self._work, args=(services, stop), name="outbox", daemon=True)
        self._thread.start()

    def ring(self) -> None:
        """Look for work at once: something was just committed."""
        self._bell.ring()

    def join(self, timeout_s: float) -> bool:
        """Wait until attempts that have begun before the stop have ended; False if some are left behind.

        What is left behind is looked up by whoever claims it next.
        """
        if self._thread is not None:
            self._thread.join(timeout_s)
        for part in self._parts:
            self._pulse.forget(part)
        ended = self._thread is None or not self._thread.is_alive()
        if not ended:
            log.warning("a delivery is left behind: the next start looks it up")
        return ended

    def _work(self, services: Services, stop: threading.Event) -> None:
        deliver_until_stopped(
            services.store,
            services.notifiers,
            clock=self._clock,
            owner=self._owner,
            stop=stop,
            fallback=fallback_of(services),
            bell=self._bell,
            outage=self._outage,
            beat=lambda kind: self._pulse.beat(_part(kind)),
        )


def _part(kind: str) -> str:
    return f"delivery by {kind}" if kind else "delivery"
