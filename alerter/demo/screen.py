"""What the demo shows while it starts: bars for a person, lines for a pipe."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_LABEL = 20
_BAR = 30


class Steps(Protocol):
    """Steps that follow each other; each ends when the next begins."""

    def begin(self, label: str, total: int = 0) -> None:
        """Begin a step of ``total`` parts; 0 where nobody knows."""
        ...

    def at(self, done: int, total: int) -> None:
        """Show how far the step has come."""
        ...

    def finish(self) -> None:
        """End the last step; what is printed from now on stands below."""
        ...


def say(text: str) -> None:
    """Print a paragraph."""
    print(text, flush=True)  # noqa: T201 - this is the demo's screen


def is_pretty() -> bool:
    """Whether a person looks at standard output, on a terminal that can draw."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


@contextmanager
def steps(*, pretty: bool) -> Iterator[Steps]:
    """Show steps until the block ends, however it ends."""
    shown: _Lines | _Bars = _Bars() if pretty else _Lines()
    try:
        yield shown
    finally:
        shown.close()


class _Lines:
    """A line when a step begins, and one when it has ended."""

    def __init__(self) -> None:
        self._label = ""
        self._began = 0.0

    def begin(self, label: str, total: int = 0) -> None:
        self.finish()
        self._label, self._began = f"{label} ({total})" if total else label, time.monotonic()
        say(f"{self._label} ...")

    def at(self, done: int, total: int) -> None:
        """Do nothing: a pipe needs no movement."""

    def finish(self) -> None:
        if self._label:
            say(f"{self._label}: {time.monotonic() - self._began:.1f} s")
        self._label = ""

    def close(self) -> None:
        self._label = ""


class _Bars:
    """A bar a step, in place."""

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - 0.1 s, and not for a pipe
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

        self._progress: Progress = Progress(
            TextColumn(f"{{task.description:<{_LABEL}}}"),
            BarColumn(_BAR),
            TextColumn("{task.fields[note]:>7}"),
            TimeElapsedColumn(),
            console=Console(highlight=False),
        )
        self._progress.start()
        self._task: TaskID | None = None

    def begin(self, label: str, total: int = 0) -> None:
        self._end()
        self._task = self._progress.add_task(label, total=total or None, note=f"0/{total}" if total else "")

    def at(self, done: int, total: int) -> None:
        if self._task is not None:
            self._progress.update(self._task, completed=done, total=max(total, done), note=f"{done}/{max(total, done)}")

    def finish(self) -> None:
        self._end()
        self.close()

    def _end(self) -> None:
        if self._task is not None:
            task = next(each for each in self._progress.tasks if each.id == self._task)
            total = task.total or 1
            self._progress.update(self._task, total=total, completed=total, note=task.fields["note"] or "ready")
            self._progress.stop_task(self._task)
            self._task = None

    def close(self) -> None:
        self._progress.stop()
