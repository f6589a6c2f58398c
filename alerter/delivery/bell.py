"""Wakes those who rest, all of them; a ring that comes between looking and resting is not lost."""

from __future__ import annotations

import threading


class Bell:
    """Counts its rings: who rests says how many it had heard when it last looked."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._rings = 0

    def ring(self) -> None:
        """Wake everybody."""
        with self._condition:
            self._rings += 1
            self._condition.notify_all()

    def rung(self) -> int:
        """Return how often it was rung, to be read before looking for work."""
        with self._condition:
            return self._rings

    def wait(self, heard: int, timeout_s: float) -> bool:
        """Rest until it is rung once more than ``heard``, or for ``timeout_s`` seconds; return whether it was."""
        with self._condition:
            return self._condition.wait_for(lambda: self._rings > heard, timeout_s)
