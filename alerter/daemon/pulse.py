"""Signs of life of the daemon's parts, on the monotonic clock: a part that no longer gives one hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Pulse:
    """When each part last gave a sign of life; every method may be called from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}
        self._limits: dict[str, float] = {}

    def expect(self, part: str, within_s: float) -> None:
        """Expect a sign of life of a part at least every ``within_s`` seconds, from now on."""
        with self._lock:
            self._limits[part] = within_s
            self._last[part] = self._clock()

    def forget(self, part: str) -> None:
        """Expect nothing more of a part, which has ended."""
        with self._lock:
            self._limits.pop(part, None)
            self._last.pop(part, None)

    def beat(self, part: str) -> None:
        """Note a sign of life; of a part that nothing is expected of it means nothing."""
        with self._lock:
            if part in self._limits:
                self._last[part] = self._clock()

    def is_late(self, part: str) -> bool:
        """Whether a part was silent for longer than expected."""
        return part in self.late()

    def late(self, within_s: float | None = None) -> list[str]:
        """Return the parts silent for longer than expected, or than ``within_s`` where that is less."""
        with self._lock:
            now = self._clock()
            limits = {part: min(limit, within_s or limit) for part, limit in self._limits.items()}
            return sorted(part for part, limit in limits.items() if now - self._last[part] > limit)
