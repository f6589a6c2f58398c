"""Signals become events, at the very edge of the program."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_WATCHED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_END = b"\0"


class Signals:
    """What signals ask for: ``stop`` is set by SIGTERM and SIGINT, ``hangup`` is called at SIGHUP."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.hangup: Callable[[], None] = lambda: None


@contextmanager
def watched_signals() -> Iterator[Signals]:
    """Watch signals until the block ends. A second Ctrl-C ends the process at once.

    A handler in Python runs in the main thread, once that executes anything: where a signal comes just before it begins
    to wait for an event, or is given to another thread by the kernel, that is never. So the interpreter's own handler
    writes the number into a pipe, and a thread reads it there.
    """
    signals = Signals()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)

    def handle(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.SIG_DFL)

    def forward() -> None:
        while (number := os.read(reader, 1)) not in {_END, b""}:
            if number[0] == signal.SIGHUP:
                signals.hangup()
            elif number[0] in _WATCHED:
                signals.stop.set()

    thread = threading.Thread(target=forward, name="signals", daemon=True)
    thread.start()
    earlier_pipe = signal.set_wakeup_fd(writer)
    before = {each: signal.signal(each, handle) for each in _WATCHED}
    try:
        yield signals
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        signal.set_wakeup_fd(earlier_pipe)
        os.write(writer, _END)
        thread.join(1)
        os.close(writer)
        if not thread.is_alive():
            os.close(reader)
