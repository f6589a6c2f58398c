"""Which of several daemons polls: whoever holds the lease, and for as long as its poll gives signs of life.

A thread renews the lease four times within its length. It is no judge of what may be written: that is the fence, which
every writing transaction of a poll passes. It only decides who tries.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection

from alerter.store import lease
from alerter.store.engine import Store, StoreError

log = logging.getLogger(__name__)

STANDS_BY = "standing by"
"""How the role of a process begins that doesn't poll."""

UNKNOWN = f"{STANDS_BY}; who polls is not known"
"""The role of a process that can't ask the database."""

ALONE = 0
"""The epoch where no other process can be: on SQLite."""

_SHORTEST_S = 2.0
_LONGEST_S = 60.0


def lease_s(poll_every_s: float) -> float:
    """Return how long a lease holds unless it is renewed: a poll interval, within limits."""
    return min(max(poll_every_s, _SHORTEST_S), _LONGEST_S)


def _always() -> bool:
    return True


def _nothing() -> None:
    return None


class Leadership:
    """Whether this process polls; every method may be called from any thread.

    Args:
        store: the database that is polled into; one that isn't shared is always this process's own.
        length_s: how long the lease holds unless it is renewed.
        alive: whether the poll gives signs of life; one that hangs loses the lease.
        changed: called when this process has become the one that polls, or no longer is.

    Attributes:
        problem: why the lease can be neither had nor read, ``""`` where it can.
    """

    def __init__(
        self,
        store: Store,
        *,
        length_s: float,
        alive: Callable[[], bool] = _always,
        changed: Callable[[], None] = _nothing,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.length_s = length_s
        self.alive = alive
        self.changed = changed
        self.problem = ""
        self._store = store
        self._clock = clock
        self._epoch: int | None = None if store.is_shared else ALONE
        self._until = 0.0
        self._holder = ""
        self._led = not store.is_shared
        self._stop = threading.Event()
        self._turn = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def epoch(self) -> int | None:
        """Under which epoch this process polls; None while it stands by."""
        if self._store.is_shared and self._clock() >= self._until:
            return None  # not renewed in time: somebody else may have taken it
        return self._epoch

    @property
    def role(self) -> str:
        """What this process does, in words; ``""`` where no other one can be."""
        if not self._store.is_shared:
            return ""
        if self.problem:
            return UNKNOWN  # whoever holds the lease can't be asked, and it is no use to this process
        if self.epoch is not None:
            return "polls"
        return f"{STANDS_BY}; {self.other or 'nobody'} polls"

    @property
    def other(self) -> str:
        """Which other process polls as far as this one has seen, ``""`` where none does."""
        return called(self._holder) if self._holder not in {"", self._store.session} else ""

    def begin(self) -> None:
        """Take the lease if it is free, and go on trying, or renewing it, in a thread."""
        if self._store.is_shared:
            self.step()
            self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Let another process take over at once."""
        self._stop.set()
        if self._thread is None:
            return
        # A step that hangs with its connection holds nobody up: the lease lapses by itself.
        if self._turn.acquire(timeout=2):
            try:
                with suppress(StoreError):
                    self._give_up()
            finally:
                self._turn.release()

    def fence(self, epoch: int | None) -> Callable[[Connection], None]:
        """Return `lease.fence` of an epoch; of None it lets nothing through."""
        if not self._store.is_shared:
            return lambda _connection: None
        return lambda connection: lease.fence(connection, -1 if epoch is None else epoch)

    def step(self) -> None:
        """Renew the lease, or take it if it is free; called by the thread."""
        with self._turn:
            if self._stop.is_set():
                return
            try:
                self._step()
            except StoreError as error:
                if str(error) != self.problem:
                    log.warning("the lease can't be used error=%s", error)
                self.problem = str(error)
            else:
                if self.problem:
                    log.info("the lease can be used again")
                self.problem = ""
        led, self._led = self._led, self.epoch is not None
        if led != self._led:
            log.info("role epoch=%s role=%r", self._epoch, self.role)
            self.changed()

    def _step(self) -> None:
        asked, length_ms = self._clock(), round(self.length_s * 1000)
        if self._epoch is not None:
            if not self.alive():
                log.error("the poll gives no sign of life: another daemon may take over")
                self._give_up()
                return
            if lease.renew(self._store, self._epoch, length_ms):
                self._until = asked + self.length_s
                return
            self._epoch = None
        if self.alive():
            self._epoch = lease.take(self._store, length_ms)
        if self._epoch is not None:
            self._until, self._holder = asked + self.length_s, self._store.session
            return
        with self._store.read() as connection:
            self._holder = lease.holder(connection)

    def _give_up(self) -> None:
        epoch, self._epoch = self._epoch, None
        if epoch is not None:
            lease.give_up(self._store, epoch)

    def _keep(self) -> None:
        while not self._stop.wait(self.length_s / 4):
            try:
                self.step()
            except Exception:  # the job boundary: without this thread nobody would ever take over
                log.exception("the lease was neither renewed nor taken, trying again")


@contextmanager
def leading(store: Store, length_s: float = _LONGEST_S) -> Iterator[Leadership]:
    """Poll until the block ends, as the only process that does.

    Raises:
        StoreError: another process polls, or the database can't be used.
    """
    leadership = Leadership(store, length_s=length_s)
    leadership.begin()
    try:
        if leadership.epoch is None:
            who = leadership.problem or f"database {store.name} is polled by another alerter, {leadership.other}"
            raise StoreError(f"{who}; nothing was done: leave the work to it, or stop it first")
        yield leadership
    finally:
        leadership.end()


def called(session: str) -> str:
    """Return how people call a process, from its session's name: ``db-2 (process 4711)``."""
    parts = session.rsplit("-", 2)
    return f"{parts[0]} (process {parts[1]})" if len(parts) == 3 else session
