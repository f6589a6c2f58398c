"""A curtain before the console: alerts come when what is above them on the screen has been printed."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import replace

from alerter.bootstrap import wire
from alerter.config import Config
from alerter.core.alerts import AlertState, Message
from alerter.core.ports import DeliveryDelayedError, Finding, Notifier, Receipt, Target
from alerter.services import Fence, Services, unfenced
from alerter.store.engine import Store

_PATIENCE_S = 10.0
"""Shorter than a delivery's lease, which another process could take over afterwards."""


class Curtain:
    """Holds messages back until it is opened.

    Attributes:
        waiting: set once something waits behind it: the first evaluation has found something.
        opened: to be set by whoever owns the screen.
        told: set once the first message has been printed.
        first_alert: the public id of an alert in it.
    """

    def __init__(self) -> None:
        self.waiting = threading.Event()
        self.opened = threading.Event()
        self.told = threading.Event()
        self.first_alert = ""

    def wire(
        self,
        config: Config,
        store: Store,
        *,
        now_ms: int,
        stop: threading.Event | None = None,
        reading: bool = False,
        fence: Fence = unfenced,
    ) -> Services:
        """Return services as `alerter.bootstrap.wire` makes them, with the curtain before each way of telling."""
        services = wire(config, store, now_ms=now_ms, stop=stop, reading=reading, fence=fence)
        covered = {kind: Covered(self, each) for kind, each in services.notifiers.items()}
        return replace(services, notifiers=covered)


class Covered:
    """A notifier behind a curtain."""

    def __init__(self, curtain: Curtain, notifier: Notifier) -> None:
        self.kind = notifier.kind
        self._curtain = curtain
        self._notifier = notifier

    def send(
        self,
        target: Target,
        message: Message,
        states: Mapping[str, AlertState],
        key: str,
        thread: Receipt | None = None,
    ) -> Receipt:
        """Deliver once the curtain is open.

        Raises:
            DeliveryError: as the notifier; delayed while the curtain stays closed.
        """
        self._curtain.waiting.set()
        if not self._curtain.opened.wait(_PATIENCE_S):
            raise DeliveryDelayedError("the demo is not ready yet")
        receipt = self._notifier.send(target, message, states, key, thread)
        if not self._curtain.told.is_set() and message.alerts:
            self._curtain.first_alert = message.alerts[0].id
            self._curtain.told.set()
        return receipt

    def find(self, target: Target, key: str, since_ms: int, thread: Receipt | None = None) -> Receipt | None:
        """See `Notifier`."""
        return self._notifier.find(target, key, since_ms, thread)

    def update(
        self, target: Target, receipt: Receipt, message: Message, states: Mapping[str, AlertState], key: str
    ) -> None:
        """See `Notifier`."""
        self._notifier.update(target, receipt, message, states, key)

    def check(self, targets: Collection[Target]) -> list[Finding]:
        """See `Notifier`."""
        return self._notifier.check(targets)
