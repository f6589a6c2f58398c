"""What the operators hear when the daemon's own work fails: a database that takes nothing holds no notice either."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping

from alerter.config import Config
from alerter.core.alerts import Message, MessageKind
from alerter.core.periods import iso
from alerter.core.ports import DeliveryDelayedError, DeliveryRejectedError, Notifier, Target
from alerter.core.text import one_line
from alerter.daemon.outage import FORGOTTEN_MS, Memory, Outage
from alerter.operators import notify
from alerter.services import Services

log = logging.getLogger(__name__)

_LIMIT = 300


class Alarm:
    """Tells the operators once that the daemon can't do its work, past the outbox, and once through it that it can.

    Only who polls tells, or who can't begin: the others wait for the same database. A notice that can't be delivered
    is tried again at the next failure, one that may have arrived is looked up before. A restart changes nothing of it.
    """

    def __init__(self, memory: Memory, clock: Callable[[], int], owner: str) -> None:
        self._memory = memory
        self._clock = clock
        self._owner = owner
        self._outage = memory.load()

    def failed(
        self, reason: str, config: Config, notifiers: Mapping[str, Notifier], *, tells: bool = True, ends: bool = False
    ) -> None:
        """Note that the daemon could not do its work, and tell it once that goes on for `poll.source_down_after`.

        With ``ends`` this process ends of it: then nothing is told that could not be remembered, lest it be told again.
        """
        outage, now_ms = self._seen(), self._clock()
        if not tells or (not self._memory.keep(outage) and ends):
            return
        if now_ms - outage.since_ms < round(config.poll.source_down_after_s * 1000):
            return
        after = "Every start tries it again." if ends else "It goes on by itself."
        text = f"{reason}\nUntil it can, nothing new is counted and no alert is told. {after}"
        notice = Message(MessageKind.OPERATOR, title="The daemon can't do its work", text=text, at_ms=now_ms)
        if outage.pending is None:
            log.warning("operators title=%r text=%r", notice.title, notice.text)
            outage.pending = {kind: False for kind, _ in _targets(config)}
        for kind, target in _targets(config):
            if kind in notifiers and kind in outage.pending:
                _tell(outage, outage.pending, notifiers[kind], target, notice)
        self._memory.keep(outage)

    def well(self, services: Services) -> None:
        """Note that a poll did its work.

        Raises:
            StoreError: the database could be used a moment ago, and now can't.
        """
        outage = self._outage
        if outage is None:
            return
        if outage.pending is not None:
            at_ms = self._clock()
            text = f"Since {iso(at_ms)} it counts again, also what happened meanwhile."
            notice = Message(MessageKind.OPERATOR, title="The daemon works again", text=text, at_ms=at_ms)
            with services.windows.write() as view:  # another one may poll by now
                notify(view, services, f"working:{outage.owner}:{outage.since_ms}", notice)
        self._outage = None
        self._memory.forget()

    def _seen(self) -> Outage:
        """Return the outage that goes on, or one that begins now."""
        now_ms, outage = self._clock(), self._outage
        if outage is None or now_ms - outage.seen_ms > FORGOTTEN_MS:
            outage = Outage(now_ms, self._owner, now_ms)
        outage.seen_ms, self._outage = now_ms, outage
        return outage


def _tell(outage: Outage, pending: dict[str, bool], notifier: Notifier, target: Target, notice: Message) -> None:
    kind = notifier.kind
    key = f"{kind}:{target.receiver}:failing:{outage.owner}:{outage.since_ms}"
    try:
        if not (pending[kind] and notifier.find(target, key, outage.since_ms)):
            notifier.send(target, notice, {}, key)
    except DeliveryDelayedError as error:
        log.error("the operators can't be told yet kind=%s: %s", kind, one_line(str(error), _LIMIT))  # noqa: TRY400 - it says all
        return
    except DeliveryRejectedError as error:
        log.error("the operators can't be told kind=%s: %s", kind, one_line(str(error), _LIMIT))  # noqa: TRY400 - as above
    except Exception:  # what is raised on the way to tell of a failure must not hide it
        log.exception("the operators may not have been told kind=%s", kind)
        pending[kind] = True
        return
    del pending[kind]


def _targets(config: Config) -> Iterator[tuple[str, Target]]:
    for receiver in config.receivers:
        if receiver.name == config.operators:
            yield from ((kind, Target(receiver.name, settings)) for kind, settings in receiver.channels.items())
