"""One notification at a time: look it up if it may be there, send it, record how that ended."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from alerter.core.alerts import AlertState
from alerter.core.ports import (
    DeliveryAmbiguousError,
    DeliveryDelayedError,
    DeliveryError,
    DeliveryRejectedError,
    Notifier,
    Receipt,
    Target,
)
from alerter.core.text import one_line
from alerter.delivery.fallback import Fallback, hand_over, nobody
from alerter.delivery.policy import (
    HAND_OVER_AFTER,
    MOST_ATTEMPTS,
    MOST_UPDATES,
    ROOT_WAIT_MS,
    ambiguous_wait_ms,
    wait_ms,
)
from alerter.store import outcomes
from alerter.store.alert_states import told_states
from alerter.store.engine import Store
from alerter.store.outbox import Claimed, begin_attempts, claim, renew
from alerter.store.threads import places, present

log = logging.getLogger(__name__)

_ERROR_LIMIT = 300


@dataclass(frozen=True, slots=True)
class Begun:
    """An attempt that has begun: what to send, what it replies to, and where its alerts stood then."""

    claimed: Claimed
    root: Receipt | None
    states: Mapping[str, AlertState]


@dataclass(frozen=True, slots=True)
class Sent:
    """A notification that was delivered just now, or was ``found`` delivered."""

    claimed: Claimed
    receipt: Receipt
    found: bool


@dataclass(frozen=True, slots=True)
class Courier:
    """What delivering needs; see `alerter.delivery.deliver_due`."""

    store: Store
    notifiers: Mapping[str, Notifier]
    clock: Callable[[], int]
    owner: str
    stop: threading.Event
    fallback: Fallback = nobody

    def turn(self, kind: str, sent: Sequence[Sent], *, limit: int, busy: Collection[str]) -> tuple[int, list[Begun]]:
        """Record what was delivered and begin what is due, in one transaction.

        At most ``limit`` attempts begin, one a target and none at a ``busy`` one. Returns how many notifications were
        claimed, and the attempts: what replies to a message that is still on its way is put off.
        """
        with self.store.write() as connection:
            firsts = [self._mark_sent(connection, each) for each in sent]
            claims = self._claim(connection, kind, limit, busy)
            begun = self._begin(connection, claims)
        for each, first in zip(sent, firsts, strict=True):
            _log_sent(each, first=first)
        return len(claims), begun

    def attempt(self, begun: Begun) -> Sent | None:
        """Deliver one, or find it delivered; None where that failed, which is recorded then."""
        try:
            return self._attempt(begun)
        except Exception:
            log.exception("delivery stays open, it is looked up later key=%s", begun.claimed.key)
            return None

    def give_up_due(self, kind: str, limit: int) -> bool:
        """Give up what is due of a kind that has no notifier any more; False if there is none."""
        with self.store.write() as connection:
            claims = self._claim(connection, kind, limit, ())
        for each in claims:
            self._give_up(each, f"no notifier of kind {kind} is configured any more")
        return bool(claims)

    def update_all(self, claims: Sequence[Claimed]) -> None:
        """Show new states on the delivered messages of one target; what goes wrong with one stays with it."""
        for each in claims:
            if self.stop.is_set():
                return  # the rest is due again when its lease ends
            try:
                self._update(each)
            except Exception:
                log.exception("an update stays open, it is tried again key=%s", each.key)

    def _attempt(self, begun: Begun) -> Sent | None:
        claimed, notifier = begun.claimed, self.notifiers[begun.claimed.kind]
        try:
            found = self._look_up(notifier, claimed, begun.root) if claimed.ambiguous else None
            if found is None and claimed.ambiguous and not self._renew(claimed):
                return None
            return Sent(claimed, found or self._deliver(notifier, begun), found=found is not None)
        except DeliveryRejectedError as error:
            self._give_up(claimed, _line(error))
        except DeliveryDelayedError as error:
            self._again(claimed, error, ambiguous=False)
        except DeliveryAmbiguousError as error:
            self._again(claimed, error, ambiguous=True)
        return None

    def _claim(self, connection: Connection, kind: str, limit: int, busy: Collection[str]) -> list[Claimed]:
        now_ms = self.clock()
        return claim(connection, owner=self.owner, now_ms=now_ms, kind=kind, limit=limit, busy=busy)

    def _begin(self, connection: Connection, claims: Sequence[Claimed]) -> list[Begun]:
        now_ms, ready = self.clock(), []
        found = places(connection, [each.id for each in claims])
        for each in claims:
            wait_until_ms = found[each.id].wait_until_ms
            if wait_until_ms is None:
                ready.append(each)
            else:
                outcomes.postpone(connection, each, not_before_ms=max(wait_until_ms, now_ms + ROOT_WAIT_MS))
        begin_attempts(connection, ready, now_ms=now_ms)
        states = told_states(connection, [each.id for each in ready])
        return [Begun(each, found[each.id].root, states[each.id]) for each in ready]

    def _look_up(self, notifier: Notifier, claimed: Claimed, root: Receipt | None) -> Receipt | None:
        try:
            return notifier.find(_target(claimed), claimed.key, claimed.attempted_ms or 0, root)
        except Exception as error:
            if not isinstance(error, DeliveryError):
                log.exception("a look-up failed in a way it should not key=%s", claimed.key)
            # Not knowing is no leave to send again.
            raise DeliveryAmbiguousError(f"it could not be looked up: {_line(error)}") from error

    def _deliver(self, notifier: Notifier, begun: Begun) -> Receipt:
        claimed = begun.claimed
        try:
            return notifier.send(_target(claimed), claimed.message, begun.states, claimed.key, begun.root)
        except (DeliveryRejectedError, DeliveryDelayedError, DeliveryAmbiguousError):
            raise
        except Exception as error:
            log.exception("a notifier failed in a way it should not key=%s kind=%s", claimed.key, claimed.kind)
            raise DeliveryAmbiguousError(f"{type(error).__name__}: it may have been delivered") from error

    def _renew(self, claimed: Claimed) -> bool:
        with self.store.write() as connection:
            return renew(connection, claimed, now_ms=self.clock())

    def _mark_sent(self, connection: Connection, sent: Sent) -> bool:
        reference, now_ms = sent.receipt.reference, self.clock()
        return outcomes.mark_sent(connection, sent.claimed, reference=reference, now_ms=now_ms, found=sent.found)

    def _give_up(self, claimed: Claimed, reason: str, *, ambiguous: bool = False) -> None:
        with self.store.write() as connection:
            if not outcomes.mark_dead(connection, claimed, error=reason, ambiguous=ambiguous):
                return
            hand_over(connection, claimed, self.fallback, reason=reason, now_ms=self.clock())
        log.error("given up key=%s receiver=%s kind=%s: %s", claimed.key, claimed.receiver, claimed.kind, reason)

    def _again(self, claimed: Claimed, error: DeliveryError, *, ambiguous: bool) -> None:
        """Record when to try again, or first to look it up, and let the fallback know if that goes on for long."""
        attempts, reason = claimed.attempts + 1, _line(error)
        if attempts >= MOST_ATTEMPTS:
            self._give_up(claimed, reason, ambiguous=ambiguous)
            return
        now_ms = self.clock()
        retry_after = error.retry_after if isinstance(error, DeliveryDelayedError) else None
        wait = ambiguous_wait_ms(attempts) if ambiguous else wait_ms(attempts, retry_after)
        with self.store.write() as connection:
            mark = outcomes.mark_ambiguous if ambiguous else outcomes.mark_retry
            if not mark(connection, claimed, not_before_ms=now_ms + wait, error=reason):
                return
            if retry_after is not None:  # the whole target has to wait, so the others needn't ask
                outcomes.defer_target(connection, claimed, not_before_ms=now_ms + wait)
            if attempts >= HAND_OVER_AFTER:
                hand_over(connection, claimed, self.fallback, reason=reason, now_ms=now_ms)
        log.warning("not delivered key=%s receiver=%s attempt=%d: %s", claimed.key, claimed.receiver, attempts, reason)

    def _update(self, claimed: Claimed) -> None:
        notifier = self.notifiers.get(claimed.kind)
        if not self._renew(claimed):
            return
        try:
            if notifier is not None:
                self._show(notifier, claimed)
        except DeliveryRejectedError as error:
            log.info("a message can't be updated key=%s: %s", claimed.key, _line(error))
        except Exception as error:
            if not isinstance(error, DeliveryError):
                log.exception("an update failed in a way it should not key=%s", claimed.key)
            if self._update_later(claimed, error):
                return
        with self.store.write() as connection:
            outcomes.mark_updated(connection, claimed)

    def _show(self, notifier: Notifier, claimed: Claimed) -> None:
        receipt, message = Receipt(claimed.reference), claimed.message
        with self.store.read() as connection:
            if receipt.is_reply:  # it stays what it said; the root above it shows the present
                states = told_states(connection, [claimed.id])[claimed.id]
            else:
                message, states = present(connection, claimed.id, message)
        notifier.update(_target(claimed), receipt, message, states, claimed.key)

    def _update_later(self, claimed: Claimed, error: Exception) -> bool:
        """Record when to try an update again; False if it was tried often enough."""
        attempts = claimed.update_attempts + 1
        log.warning("not updated key=%s attempt=%d: %s", claimed.key, attempts, _line(error))
        if attempts >= MOST_UPDATES:
            return False
        retry_after = error.retry_after if isinstance(error, DeliveryDelayedError) else None
        not_before_ms = self.clock() + wait_ms(attempts, retry_after)
        with self.store.write() as connection:
            outcomes.mark_update_retry(connection, claimed, not_before_ms=not_before_ms, error=_line(error))
        return True


def _log_sent(sent: Sent, *, first: bool) -> None:
    how = "found delivered" if sent.found else "delivered"
    if not first:
        how = "delivered, as by another process already"
    claimed = sent.claimed
    log.info("%s key=%s receiver=%s attempt=%d", how, claimed.key, claimed.receiver, claimed.attempts + 1)


def _target(claimed: Claimed) -> Target:
    return Target(claimed.receiver, claimed.target)


def _line(error: Exception) -> str:
    return one_line(str(error) or type(error).__name__, _ERROR_LIMIT)
