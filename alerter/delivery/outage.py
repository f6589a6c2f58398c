"""A database that can't be used for a while: the log tells when that begins and when it ends, and not all the time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection

log = logging.getLogger(__name__)


class OutboxOutage:
    """What the lanes of the outbox see of the database, each in a thread of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failing: set[str] = set()

    def expect(self, lanes: Collection[str]) -> None:
        """Begin with other lanes: the outage goes on for those that there are."""
        with self._lock:
            self._failing &= set(lanes)

    def seen(self, lane: str, error: Exception) -> None:
        """Note that a lane could not use the database."""
        with self._lock:
            began = not self._failing
            self._failing.add(lane)
        log.log(
            logging.ERROR if began else logging.DEBUG,
            "the outbox can't be used, trying again until it can lane=%s error=%s",
            lane or "rest",
            error,
        )

    def over(self, lane: str) -> None:
        """Note that a lane could use it."""
        with self._lock:
            ended = self._failing == {lane}
            self._failing.discard(lane)
        if ended:
            log.warning("the outbox can be used again")
