"""Signals become events, at the very edge of the program."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType

_WATCHED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Signals:
    """What signals ask for: ``stop`` is set by SIGTERM and SIGINT, ``hangup`` is called at SIGHUP."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.hangup: Callable[[], None] = lambda: None


@contextmanager
def watched_signals() -> Iterator[Signals]:
    """Watch signals until the block ends. A second Ctrl-C ends the process at once.

    A handler interrupts the main thread anywhere, also while that holds the lock of the very event that it should set.
    So it only puts the number into a queue that allows it, and a thread does the rest.
    """
    signals = Signals()
    came: SimpleQueue[int] = SimpleQueue()

    def handle(number: int, _frame: FrameType | None) -> None:
        came.put(number)
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.SIG_DFL)

    def forward() -> None:
        while number := came.get():
            if number == signal.SIGHUP:
                signals.hangup()
            else:
                signals.stop.set()

    before = {each: signal.signal(each, handle) for each in _WATCHED}
    thread = threading.Thread(target=forward, name="signals", daemon=True)
    thread.start()
    try:
        yield signals
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        came.put(0)
        thread.join(1)
