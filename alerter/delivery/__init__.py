"""Deliver what the outbox holds, and show new states on what was delivered.

Each kind of notifier has its own lane, so that a slow mail server never holds up Slack; within a lane the targets go
side by side, and one target's messages in order. A post whose end is unknown is looked up before it is sent again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from alerter.core.ports import Notifier
from alerter.delivery.bell import Bell
from alerter.delivery.courier import Courier
from alerter.delivery.fallback import Fallback, nobody
from alerter.delivery.outage import OutboxOutage
from alerter.delivery.sending import WORKERS, send_due
from alerter.store.engine import Store, StoreError
from alerter.store.outbox import Claimed, claim_updates, due_kinds, settings

__all__ = ["WORKERS", "Bell", "Fallback", "OutboxOutage", "deliver_due", "deliver_until_stopped", "nobody"]

log = logging.getLogger(__name__)

BATCH = 8
"""Messages that are edited before what is due is looked at again."""

EVERY_S = 1.0
"""How long an idle lane sleeps, unless it is woken: commands of other processes enqueue too."""

AFTER_ERROR_S = 5.0
"""How long a lane rests after the database could not be used."""

_REST = ""
_Item = TypeVar("_Item")


def deliver_due(
    store: Store,
    notifiers: Mapping[str, Notifier],
    *,
    clock: Callable[[], int],
    owner: str,
    stop: threading.Event,
    fallback: Fallback = nobody,
) -> bool:
    """Deliver and update a batch of what is due of every kind, and return whether there was anything to do.

    Args:
        store: the database; several processes may deliver from one.
        notifiers: by the kinds that notifications name; a notification of another kind is given up.
        clock: the real time in epoch milliseconds.
        owner: who claims: a name of this process that no other one has.
        stop: ends the work early; what was not begun is given back.
        fallback: who is told what can't be delivered.

    Raises:
        StoreError: the database can't be read. What goes wrong with one notification is logged, not raised.
    """
    courier = Courier(store, notifiers, clock, owner, stop, fallback)
    kinds = _due(courier)
    return any(_side_by_side(lambda kind: _work_off(courier, kind), kinds))


def deliver_until_stopped(
    store: Store,
    notifiers: Mapping[str, Notifier],
    *,
    clock: Callable[[], int],
    owner: str,
    stop: threading.Event,
    fallback: Fallback = nobody,
    bell: Bell | None = None,
    outage: OutboxOutage | None = None,
    beat: Callable[[str], None] = lambda _kind: None,
    patience_s: float = 20.0,
) -> None:
    """Deliver in a thread a kind of notifier until ``stop`` is set; then let attempts that have begun end.

    ``bell`` wakes lanes that rest, so that what was just committed goes out at once.
    ``outage`` remembers from one start to the next that the database can't be used.
    ``beat`` is called with the lane's name (``""`` is the one for kinds without notifier) whenever one goes round: a
    lane that no longer beats hangs. An attempt that takes longer than ``patience_s`` after the stop is left behind;
    the next start looks it up.
    """
    courier = Courier(store, notifiers, clock, owner, stop, fallback)
    bell, outage = bell or Bell(), outage or OutboxOutage()
    outage.expect((*notifiers, _REST))
    lanes = [
        threading.Thread(target=_lane, args=(courier, kind, beat, bell, outage), name=f"deliver-{kind}", daemon=True)
        for kind in (*notifiers, _REST)
    ]
    for lane in lanes:
        lane.start()
    stop.wait()
    bell.ring()
    until = threading.Event()
    timer = threading.Timer(patience_s, until.set)
    timer.daemon = True
    timer.start()
    for lane in lanes:
        while lane.is_alive() and not until.is_set():
            lane.join(timeout=0.05)
    timer.cancel()


def _lane(courier: Courier, lane: str, beat: Callable[[str], None], bell: Bell, outage: OutboxOutage) -> None:
    while not courier.stop.is_set():
        beat(lane)
        heard, rest_s = bell.rung(), EVERY_S
        try:
            kinds = _due(courier)
            mine = kinds & {lane} if lane != _REST else kinds - set(courier.notifiers)
            done = [_work_off(courier, kind) for kind in sorted(mine)]
        except StoreError as error:
            outage.seen(lane, error)
            done, rest_s = [], AFTER_ERROR_S
        except Exception:  # the job boundary: a lane that ended would deliver nothing more
            log.exception("delivery failed, trying again lane=%s", lane)
            done, rest_s = [], AFTER_ERROR_S
        else:
            outage.over(lane)
        if not any(done) and not courier.stop.is_set():
            bell.wait(heard, rest_s)


def _due(courier: Courier) -> frozenset[str]:
    with courier.store.read() as connection:
        return due_kinds(connection, courier.clock())


def _work_off(courier: Courier, kind: str) -> bool:
    done = send_due(courier, kind) if kind in courier.notifiers else courier.give_up_due(kind, BATCH)
    with courier.store.write() as connection:
        now_ms = courier.clock()
        to_update = claim_updates(connection, owner=courier.owner, now_ms=now_ms, kind=kind, limit=BATCH)
    _side_by_side(courier.update_all, _by_target(to_update))
    return done or bool(to_update)


def _by_target(claims: Sequence[Claimed]) -> list[list[Claimed]]:
    groups: dict[str, list[Claimed]] = {}
    for each in claims:
        groups.setdefault(settings(each.target), []).append(each)
    return list(groups.values())


def _side_by_side(work: Callable[[_Item], bool | None], items: Collection[_Item]) -> list[bool]:
    if len(items) <= 1:
        return [bool(work(each)) for each in items]
    with ThreadPoolExecutor(min(len(items), WORKERS)) as pool:
        begun = [pool.submit(work, each) for each in items]  # `map` would cancel the others when one fails
    return [bool(each.result()) for each in begun]
