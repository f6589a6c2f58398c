"""What the operators hear when the daemon's own work fails: a database that takes nothing holds no notice either."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from alerter.core.alerts import Message, MessageKind
from alerter.core.periods import iso
from alerter.core.ports import DeliveryDelayedError, DeliveryRejectedError, Notifier, Target
from alerter.core.text import one_line
from alerter.daemon.present import Generation, Present
from alerter.operators import notify

log = logging.getLogger(__name__)

_LIMIT = 300


class Alarm:
    """Tells the operators once that polls fail, past the outbox, and once through it that they work again.

    Only who polls tells: the others wait for the same database. A notice that can't be delivered is tried again at the
    next failure, one that may have arrived is looked up before.
    """

    def __init__(self, present: Present, clock: Callable[[], int], owner: str) -> None:
        self._present = present
        self._clock = clock
        self._owner = owner
        self._since_ms: int | None = None
        self._raised = False
        self._pending: dict[str, bool] = {}  # by kind of notifier: whether it may have arrived

    def failed(self, reason: str) -> None:
        """Note that a poll could not do its work, and tell it once that goes on for `poll.source_down_after`."""
        now_ms, generation = self._clock(), self._present.generation
        since_ms = self._since_ms = now_ms if self._since_ms is None else self._since_ms
        down_after_ms = round(generation.services.config.poll.source_down_after_s * 1000)
        if generation.epoch is None or now_ms - since_ms < down_after_ms:
            return
        text = f"{reason}\nUntil it can, nothing new is counted and no alert is told. It goes on by itself."
        notice = Message(MessageKind.OPERATOR, title="The daemon can't do its work", text=text, at_ms=now_ms)
        if not self._raised:
            log.warning("operators title=%r text=%r", notice.title, notice.text)
            self._raised, self._pending = True, {kind: False for kind, _ in _targets(generation)}
        for kind, target in _targets(generation):
            notifier = generation.services.notifiers.get(kind)
            if notifier is not None and kind in self._pending:
                self._tell(notifier, target, f"{kind}:{target.receiver}:failing:{self._owner}:{since_ms}", notice)

    def well(self) -> None:
        """Note that a poll did its work.

        Raises:
            StoreError: the database could be used a moment ago, and now can't.
        """
        if self._raised:
            services, at_ms = self._present.services(), self._clock()
            text = f"Since {iso(at_ms)} it counts again, also what happened meanwhile."
            notice = Message(MessageKind.OPERATOR, title="The daemon works again", text=text, at_ms=at_ms)
            with services.windows.write() as view:  # another one may poll by now
                notify(view, services, f"working:{self._owner}:{self._since_ms}", notice)
        self._since_ms, self._raised, self._pending = None, False, {}

    def _tell(self, notifier: Notifier, target: Target, key: str, notice: Message) -> None:
        kind = notifier.kind
        try:
            if not (self._pending[kind] and notifier.find(target, key, self._since_ms or 0)):
                notifier.send(target, notice, {}, key)
        except DeliveryDelayedError as error:
            log.error("the operators can't be told yet kind=%s: %s", kind, one_line(str(error), _LIMIT))  # noqa: TRY400 - it says all
            return
        except DeliveryRejectedError as error:
            log.error("the operators can't be told kind=%s: %s", kind, one_line(str(error), _LIMIT))  # noqa: TRY400 - as above
        except Exception:  # what is raised on the way to tell of a failure must not hide it
            log.exception("the operators may not have been told kind=%s", kind)
            self._pending[kind] = True
            return
        del self._pending[kind]


def _targets(generation: Generation) -> Iterator[tuple[str, Target]]:
    services = generation.services
    receiver = services.receivers.get(services.config.operators or "")
    if receiver is not None:
        yield from ((kind, Target(receiver.name, settings)) for kind, settings in receiver.channels.items())
