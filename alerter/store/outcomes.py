"""How an attempt to send or to update a notification ended. Each record is conditional on the claim's lease."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from alerter.store.bulk import query
from alerter.store.outbox import Claimed, changed, settings

_RELEASED = "lease_owner = NULL, lease_until_ms = NULL"


def mark_sent(
    connection: Connection, claimed: Claimed, *, reference: Mapping[str, str], now_ms: int, found: bool = False
) -> bool:
    """Record a delivery, also one whose lease was lost meanwhile; False if another daemon has recorded one.

    ``found`` says that it was looked up: then what it shows is of an earlier attempt, and it is updated if anything
    was asked for since.
    """
    return changed(
        connection,
        "UPDATE notification SET status = 'sent', sent_ms = ?, reference = ?, update_shown = ?, ambiguous = ?, "
        f"{_RELEASED}, not_before_ms = 0, error = '' WHERE id = ? AND status <> 'sent'",
        now_ms,
        settings(reference),
        0 if found else claimed.wanted,
        False,
        claimed.id,
    )


def mark_retry(connection: Connection, claimed: Claimed, *, not_before_ms: int, error: str) -> bool:
    """Record that an attempt certainly did not deliver, and when to try again; False if the lease was lost."""
    return _mark_pending(connection, claimed, not_before_ms, error, ambiguous=False)


def mark_ambiguous(connection: Connection, claimed: Claimed, *, not_before_ms: int, error: str) -> bool:
    """Record that an attempt may have delivered, and when to look it up; False if the lease was lost."""
    return _mark_pending(connection, claimed, not_before_ms, error, ambiguous=True)


def postpone(connection: Connection, claimed: Claimed, *, not_before_ms: int) -> None:
    """Give a claim back that was not attempted, to be due later."""
    query(
        connection,
        f"UPDATE notification SET not_before_ms = ?, {_RELEASED} WHERE id = ? AND lease_owner = ?",
        not_before_ms,
        claimed.id,
        claimed.lease,
    )


def mark_dead(connection: Connection, claimed: Claimed, *, error: str, ambiguous: bool = False) -> bool:
    """Give a notification up, perhaps one that was delivered after all; False if the lease was lost."""
    return changed(
        connection,
        f"UPDATE notification SET status = 'dead', error = ?, ambiguous = ?, {_RELEASED} "
        "WHERE id = ? AND lease_owner = ? AND status = 'pending'",
        error,
        ambiguous,
        claimed.id,
        claimed.lease,
    )


def defer_target(connection: Connection, claimed: Claimed, *, not_before_ms: int) -> None:
    """Let whatever else is pending for the same target wait too, of this claim's batch and unclaimed."""
    query(
        connection,
        f"UPDATE notification SET not_before_ms = ?, {_RELEASED} WHERE status = 'pending' "
        "AND kind = ? AND target = ? AND not_before_ms < ? AND id <> ? AND (lease_owner IS NULL OR lease_owner = ?)",
        not_before_ms,
        claimed.kind,
        settings(claimed.target),
        not_before_ms,
        claimed.id,
        claimed.lease,
    )


def mark_updated(connection: Connection, claimed: Claimed) -> bool:
    """Record that a message shows the states as of its claim. Requests that came since then stay due.

    If the lease was lost, another daemon may have shown newer states before ours arrived: ask for one more update.
    """
    if changed(
        connection,
        f"UPDATE notification SET update_shown = ?, update_attempts = 0, {_RELEASED} WHERE id = ? AND lease_owner = ?",
        claimed.wanted,
        claimed.id,
        claimed.lease,
    ):
        return True
    query(connection, "UPDATE notification SET update_wanted = update_wanted + 1 WHERE id = ?", claimed.id)
    return False


def mark_update_retry(connection: Connection, claimed: Claimed, *, not_before_ms: int, error: str) -> bool:
    """Record that an update failed, and when to try again; False if the lease was lost."""
    return changed(
        connection,
        "UPDATE notification SET update_attempts = update_attempts + 1, not_before_ms = ?, error = ?, "
        f"{_RELEASED} WHERE id = ? AND lease_owner = ?",
        not_before_ms,
        error,
        claimed.id,
        claimed.lease,
    )


def _mark_pending(connection: Connection, claimed: Claimed, not_before_ms: int, error: str, *, ambiguous: bool) -> bool:
    return changed(
        connection,
        f"UPDATE notification SET not_before_ms = ?, error = ?, ambiguous = ?, {_RELEASED} "
        "WHERE id = ? AND lease_owner = ? AND status = 'pending'",
        not_before_ms,
        error,
        ambiguous,
        claimed.id,
        claimed.lease,
    )


def revive(connection: Connection, notification_id: int) -> str | None:
    """Let one notification that was given up be tried anew; return the status that it had, None if there is none."""
    if changed(
        connection,
        f"UPDATE notification SET status = 'pending', attempts = 0, not_before_ms = 0, {_RELEASED} "
        "WHERE id = ? AND status = 'dead'",
        notification_id,
    ):
        return "dead"
    status: str | None = query(connection, "SELECT status FROM notification WHERE id = ?", notification_id).scalar()
    return status
