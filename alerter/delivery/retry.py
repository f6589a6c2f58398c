"""Let a notification that was given up be tried anew, once what stood in its way is corrected."""

from __future__ import annotations

from dataclasses import dataclass

from alerter.core.text import one_line
from alerter.store.engine import Store
from alerter.store.holds import audit
from alerter.store.outcomes import revive

_NOTHING_TO_DO = {
    "sent": "was delivered already: there is nothing to retry",
    "pending": "is not given up: it is tried again by itself",
}


@dataclass(frozen=True, slots=True)
class Retried:
    """Whether a notification will be tried anew, and one sentence for the person who asked."""

    ok: bool
    text: str


def retry(store: Store, notification_id: int, *, actor: str, via: str, now_ms: int) -> Retried:
    """Put a notification that was given up back into the outbox, due at once; audited, whatever came of it.

    One that may have been delivered is looked up before it is sent again.

    Raises:
        StoreError: the database can't be written; nothing was changed.
    """
    with store.write() as connection:
        status = revive(connection, notification_id)
        done = status == "dead"
        detail = "queued" if done else status or "unknown"
        target = f"notification {notification_id}"
        audit(connection, at_ms=now_ms, actor=one_line(actor), via=via, action="retry", target=target, detail=detail)
    if status is None:
        return Retried(False, f"there is no {target}; `alerter notifications` lists them")
    if not done:
        return Retried(False, f"{target} {_NOTHING_TO_DO[status]}")
    return Retried(True, f"{target} is queued: a running daemon, or `alerter once`, sends it")
