"""A daemon in virtual time whose deliveries are virtual too: minutes of polling and delivering, as long as it takes."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from alerter.core.ports import Notifier
from alerter.delivery import deliver_due
from alerter.operators import fallback_of
from alerter.store.outbox_read import NotificationView, list_notifications
from tests.truth.ledgers import MINUTE, House


@dataclass
class Days:
    """A house whose clock a test moves.

    Attributes:
        notifiers: by kind; they are real, and so is what they fail to reach.
        now_ms: the clock of polls and deliveries alike.
    """

    home: House
    notifiers: Mapping[str, Notifier]
    now_ms: int

    def go(self, minutes: int, *, poll_every: int = 30) -> None:
        """Let so many minutes pass; polls are ``poll_every`` minutes apart, looks at the outbox five."""
        for minute in range(0, minutes, 5):
            if minute % poll_every == 0:
                self.home.cycle(self.now_ms)
            self._deliver()
            self.now_ms += 5 * MINUTE

    def outbox(self) -> list[NotificationView]:
        """Every notification, the oldest first."""
        with self.home.store.read() as connection:
            return sorted(list_notifications(connection, limit=1000), key=lambda each: each.id)

    def _deliver(self) -> None:
        stop, fallback = threading.Event(), fallback_of(self.home.services)
        while deliver_due(
            self.home.store, self.notifiers, clock=lambda: self.now_ms, owner="me", stop=stop, fallback=fallback
        ):
            pass
