"""The outbox: what is to be told, to whom, and how far that has come.

A notification commits with the alert that caused it. To send it, a daemon claims it with a lease; before the attempt it
is marked ambiguous, and the mark is taken back when the attempt's end is known. So whoever finds the mark, after a
crash, a time-out or a lost lease, knows that it may have been delivered. Times here are the real clock's, in epoch
milliseconds: never the ``--now`` of an evaluation.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection

from alerter.core.alerts import Message
from alerter.store.bulk import change_in, insert_rows, query, select_in
from alerter.store.messages import decode, encode

log = logging.getLogger(__name__)

LEASE_MS = 30_000
"""How long a claim holds unless it is renewed. One attempt of a notifier must end within it."""

_TELLING = (
    "SELECT DISTINCT l.notification_id FROM alert a JOIN alert o ON o.budget_id = a.budget_id "
    "AND o.scope_id = a.scope_id AND o.period_start = a.period_start AND o.subject = a.subject "
    "JOIN alert_notification l ON l.alert_id = o.id "
    "WHERE a.id IN {values}"
)
_FREE = "not_before_ms <= ? AND (lease_until_ms IS NULL OR lease_until_ms <= ?)"
_TO_SEND = f"status = 'pending' AND {_FREE}"
_TO_UPDATE = f"status = 'sent' AND update_wanted > update_shown AND {_FREE}"
_COLUMNS = (
    "id, key, receiver, kind, target, message, attempts, ambiguous, attempted_ms, reference, update_wanted, "
    "update_attempts"
)


@dataclass(frozen=True, slots=True)
class Letter:
    """A message to be sent to one target of a receiver; ``alert_ids`` are the rows of the alerts that it tells."""

    key: str
    receiver: str
    kind: str
    target: Mapping[str, str]
    message: Message
    alert_ids: Collection[int] = ()


@dataclass(frozen=True, slots=True)
class Claimed:
    """A notification that this process may work on until its lease ends.

    Attributes:
        lease: what this claim is recognised by; a later claim has another one.
        target: the notifier's settings, such as ``{"channel": "#ml-costs"}``.
        attempts: attempts to send it that have begun before this one.
        ambiguous: an earlier attempt may have delivered it.
        attempted_ms: the earliest attempt that may have; None without one.
        reference: what the service said of the delivered message, of an update.
        wanted: the count of requests to show new states that the states read from now on include.
        update_attempts: attempts to update it that have failed since the last success.
    """

    id: int
    lease: str
    key: str
    receiver: str
    kind: str
    target: Mapping[str, str]
    message: Message
    attempts: int
    ambiguous: bool
    attempted_ms: int | None
    reference: Mapping[str, str]
    wanted: int
    update_attempts: int


def enqueue(connection: Connection, letters: Sequence[Letter], *, now_ms: int) -> int:
    """Add notifications, in the transaction of what they tell; return how many were new: a key is told once.

    Earlier messages about the same alerts are updated. They are due at once, whatever ``now_ms`` says: that may be the
    time of an evaluation, and only tells when it was decided.
    """
    by_key = {each.key: each for each in letters}
    for row in select_in(connection, "SELECT key FROM notification WHERE key IN {values}", sorted(by_key)):
        del by_key[row.key]
    request_update(connection, [alert_id for each in by_key.values() for alert_id in each.alert_ids])
    insert_rows(
        connection,
        "INSERT INTO notification (key, receiver, kind, target, message, status, attempts, created_ms, not_before_ms, "
        "ambiguous, reference, update_wanted, update_shown, update_attempts, error) "
        "VALUES (?, ?, ?, ?, ?, 'pending', 0, ?, 0, ?, '', 0, 0, 0, '') ON CONFLICT (key) DO NOTHING",
        [
            (each.key, each.receiver, each.kind, settings(each.target), encode(each.message), now_ms, False)
            for each in by_key.values()
        ],
    )
    rows = select_in(connection, "SELECT id, key FROM notification WHERE key IN {values}", sorted(by_key))
    links = [(alert_id, row.id) for row in rows for alert_id in sorted(set(by_key[row.key].alert_ids))]
    sql = "INSERT INTO alert_notification (alert_id, notification_id) VALUES (?, ?) ON CONFLICT DO NOTHING"
    insert_rows(connection, sql, links)
    return len(by_key)


def due_kinds(connection: Connection, now_ms: int) -> frozenset[str]:
    """Return the kinds of notifier that have something to send or to update now."""
    sql = f"SELECT kind FROM notification WHERE {_TO_SEND} UNION SELECT kind FROM notification WHERE {_TO_UPDATE}"
    return frozenset(row.kind for row in query(connection, sql, now_ms, now_ms, now_ms, now_ms))


def claim(
    connection: Connection,
    *,
    owner: str,
    now_ms: int,
    kind: str,
    limit: int,
    busy: Collection[str] = (),
    lease_ms: int = LEASE_MS,
) -> list[Claimed]:
    """Claim at most ``limit`` notifications of a kind of notifier that are due, the oldest of each target.

    So what goes to one target goes in order. ``busy`` are targets, as `settings` gives them, that get nothing now.
    Safe with several daemons on one database: each notification goes to one of them.
    """
    chosen: dict[str, Any] = {}
    while (free := limit - len(chosen)) > 0:
        away = ["", *busy, *chosen]  # no target is that, but `IN` wants something
        due = f"{_TO_SEND} AND kind = ? AND target NOT IN ({', '.join('?' * len(away))})"
        rows = _due(connection, due, [now_ms, now_ms, kind, *away], free)
        for row in rows:
            chosen.setdefault(row.target, row)
        if len(rows) < free:
            break
    return list(_leased(connection, [*chosen.values()], owner, now_ms + lease_ms))


def claim_updates(
    connection: Connection, *, owner: str, now_ms: int, kind: str, limit: int, lease_ms: int = LEASE_MS
) -> list[Claimed]:
    """Claim at most ``limit`` delivered notifications that should show new states. Read the states after this."""
    rows = _due(connection, f"{_TO_UPDATE} AND kind = ?", [now_ms, now_ms, kind], limit)
    return list(_leased(connection, rows, owner, now_ms + lease_ms))


def begin_attempts(
    connection: Connection, claims: Collection[Claimed], *, now_ms: int, lease_ms: int = LEASE_MS
) -> None:
    """Count an attempt at each, and mark it ambiguous until its end is known; in the transaction of the claim."""
    change_in(
        connection,
        "UPDATE notification SET attempts = attempts + 1, lease_until_ms = ?, "
        "attempted_ms = CASE WHEN ambiguous THEN attempted_ms ELSE ? END, ambiguous = ? WHERE id IN {values}",
        [each.id for each in claims],
        *(now_ms + lease_ms, now_ms, True),
    )


def renew(connection: Connection, claimed: Claimed, *, now_ms: int, lease_ms: int = LEASE_MS) -> bool:
    """Hold a claim for another lease; False if it was lost."""
    return changed(
        connection,
        "UPDATE notification SET lease_until_ms = ? WHERE id = ? AND lease_owner = ?",
        now_ms + lease_ms,
        claimed.id,
        claimed.lease,
    )


def request_update(connection: Connection, alert_ids: Collection[int]) -> None:
    """Ask for the messages about these alerts (row ids), and about others of the same (budget, scope, period), anew.

    In the transaction of what changed.

    One that is pending shows current states when it is sent; one that is being sent right now is updated afterwards.
    """
    told = [row.notification_id for row in select_in(connection, _TELLING, sorted(set(alert_ids)))]
    rows = [(row_id,) for row_id in sorted(set(told))]
    insert_rows(
        connection,
        "UPDATE notification SET update_wanted = update_wanted + 1 WHERE id = ? AND status <> 'dead' AND message <> ''",
        rows,
    )


def _due(connection: Connection, due: str, values: Sequence[object], limit: int) -> Sequence[Any]:
    skip_locked = " FOR UPDATE SKIP LOCKED" if connection.dialect.name == "postgresql" else ""
    sql = f"SELECT {_COLUMNS} FROM notification WHERE {due} ORDER BY id LIMIT ?{skip_locked}"
    rows: Sequence[Any] = query(connection, sql, *values, limit).all()
    return rows


def _leased(connection: Connection, rows: Sequence[Any], owner: str, until_ms: int) -> Iterator[Claimed]:
    lease = f"{owner}:{secrets.token_hex(4)}"
    sql = "UPDATE notification SET lease_owner = ?, lease_until_ms = ? WHERE id IN {values}"
    change_in(connection, sql, [row.id for row in rows], lease, until_ms)
    for row in sorted(rows, key=attrgetter("id")):
        try:
            yield _claimed(row, lease)
        except ValueError as error:
            # Otherwise it would come back with every claim, and stand in the way of the rest.
            log.error("notification %s is given up: %s", row.key, error)  # noqa: TRY400 - the error says it all
            query(
                connection,
                "UPDATE notification SET status = 'dead', error = ? WHERE id = ?",
                f"its text can't be read: {error}",
                row.id,
            )


def _claimed(row: Any, lease: str) -> Claimed:
    return Claimed(
        id=row.id,
        lease=lease,
        key=row.key,
        receiver=row.receiver,
        kind=row.kind,
        target=json.loads(row.target),
        message=decode(row.message),
        attempts=row.attempts,
        ambiguous=bool(row.ambiguous),
        attempted_ms=row.attempted_ms,
        reference=json.loads(row.reference) if row.reference else {},
        wanted=row.update_wanted,
        update_attempts=row.update_attempts,
    )


def changed(connection: Connection, sql: str, *values: Any) -> bool:
    """Execute a conditional update and return whether its row was still as expected."""
    return bool(query(connection, sql, *values).rowcount)


def settings(values: Mapping[str, str]) -> str:
    """Return a target or a reference as it is stored, and compared."""
    return json.dumps(dict(values), sort_keys=True, ensure_ascii=False)


def told_alerts(connection: Connection, notification_id: int) -> list[int]:
    """Return the rows of the alerts that a notification tells."""
    rows = query(connection, "SELECT alert_id FROM alert_notification WHERE notification_id = ?", notification_id)
    return [row.alert_id for row in rows]
