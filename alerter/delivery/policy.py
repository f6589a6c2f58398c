"""When to try again, when to hand over, when to give up: pure, in milliseconds of the real clock."""

from __future__ import annotations

import math

FIRST_WAIT_MS = 5_000
LONGEST_WAIT_MS = 900_000
LONGEST_RETRY_AFTER_MS = 3_600_000
"""A service that asks for more is asked again after this."""

AMBIGUOUS_WAIT_MS = 30_000
"""Before looking a message up: longer than a notifier's time-out, so that it is there if it ever will be."""

ROOT_WAIT_MS = 2_000
"""How long a reply waits at least for the message that it replies to."""

HAND_OVER_AFTER = 10
"""Attempts, half an hour of them, after which the fallback is told as well."""

MOST_ATTEMPTS = 295
"""Attempts, three days of them (a weekend and more), after which a notification is given up."""

MOST_UPDATES = 10
"""Attempts to show new states on one message; it is only the message that stays as it was."""


def wait_ms(attempts: int, retry_after: float | None = None) -> int:
    """Return how long to wait after so many attempts (from 1), or as long as the service asked for (seconds).

    >>> [wait_ms(each) // 1000 for each in (1, 2, 3, 8, 9, 100)]
    [5, 10, 20, 640, 900, 900]
    """
    if retry_after is not None and math.isfinite(retry_after):
        return min(max(math.ceil(retry_after * 1000), 1_000), LONGEST_RETRY_AFTER_MS)
    return min(FIRST_WAIT_MS << min(max(attempts - 1, 0), 30), LONGEST_WAIT_MS)


def ambiguous_wait_ms(attempts: int) -> int:
    """Return how long to wait before a message is looked up that may have been delivered."""
    return max(wait_ms(attempts), AMBIGUOUS_WAIT_MS)
