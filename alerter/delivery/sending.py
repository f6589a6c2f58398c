"""What is due of one kind goes out: workers speak to the service, one thread to the database."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue

from alerter.delivery.courier import Courier, Sent
from alerter.store.outbox import settings

WORKERS = 4
"""Attempts of one kind at a time, as many as a mail server takes connections."""

_MORE = {"slack": 16}
"""Slack takes as many as there are; an attempt mostly waits for it."""

PASS_S = 5.0
"""After so long nothing more begins, so that messages which are to be edited get their turn."""

_Attempt = Future[Sent | None]


def send_due(courier: Courier, kind: str) -> bool:
    """Send what is due of one kind of notifier, and return whether there was anything.

    Whatever has ended meanwhile is recorded together, and what takes its place begins in the same transaction: the more
    there is to do, the fewer transactions a message takes.
    """
    until, workers = time.monotonic() + PASS_S, _MORE.get(kind, WORKERS)
    ended: SimpleQueue[_Attempt] = SimpleQueue()
    under_way: dict[_Attempt, str] = {}
    sent: list[Sent] = []
    found = False
    with ThreadPoolExecutor(workers) as pool:
        while True:
            more = not courier.stop.is_set() and (not found or time.monotonic() < until)
            free = workers - len(under_way) if more else 0
            claimed, begun = courier.turn(kind, sent, limit=free, busy=under_way.values())
            found = found or claimed > 0
            for each in begun:
                attempt = pool.submit(courier.attempt, each)
                under_way[attempt] = settings(each.claimed.target)
                attempt.add_done_callback(ended.put)
            if not under_way and not claimed:
                return found
            sent = _sent(ended, under_way) if under_way else []


def _sent(ended: SimpleQueue[_Attempt], under_way: dict[_Attempt, str]) -> list[Sent]:
    """Wait until an attempt has ended, and return what all that have delivered."""
    found, attempt = [], ended.get()
    while True:
        del under_way[attempt]
        if (one := attempt.result()) is not None:
            found.append(one)
        try:
            attempt = ended.get_nowait()
        except Empty:
            return found
