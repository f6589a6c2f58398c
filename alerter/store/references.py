"""What people call an alert: its public id, its budget, or its scope."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches

from sqlalchemy import Connection

from alerter.core.budgets import Scope
from alerter.core.periods import midnight_ms
from alerter.core.text import one_line
from alerter.store.alert_states import currency_of, zone_of
from alerter.store.alerts import ENDLESS, FIRING, StoredAlert, load_alerts
from alerter.store.budgets import decode_scope
from alerter.store.bulk import query, select_in

_SUGGESTIONS = 3
_PUBLIC_ID = re.compile(r"A-[0-9A-Z]{4,20}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ScopeName:
    """One scope of one budget, by what people call it.

    Attributes:
        label: ``fraud-detection``, or with tag values ``every-team/vision``.
        zone: the budget's IANA time zone; ``currency`` its ISO-4217 code.
    """

    budget_id: int
    scope_id: int
    budget: str
    uid: str
    scope: Scope
    zone: str
    currency: str = "USD"

    @property
    def label(self) -> str:
        """Its one name that says everything."""
        return "/".join((self.budget, *(value for _, value in self.scope)))

    def full_names(self) -> set[str]:
        """Return the names that mean this scope, or its whole budget."""
        values = "/".join(value for _, value in self.scope)
        names = {self.budget, self.uid}
        return names | {f"{name}/{values}" for name in names} if values else names

    def short_names(self) -> set[str]:
        """Return its tag values, which other budgets may have too."""
        values = [value for _, value in self.scope]
        return {"/".join(values), " / ".join(values)} if values else set()


@dataclass(frozen=True, slots=True)
class Episode:
    """The alerts of one (budget, scope, period), oldest first, or the one of a single run in it; at least one."""

    name: ScopeName
    alerts: Sequence[StoredAlert]

    @property
    def period_start(self) -> str:
        """The period's first local day, as an ISO date."""
        return self.alerts[0].period_start

    @property
    def subject(self) -> str:
        """The MLflow id of the one run that it is about, else ``""``."""
        return self.alerts[0].subject

    @property
    def firing(self) -> list[StoredAlert]:
        """The alerts that have not been resolved."""
        return [each for each in self.alerts if each.status == FIRING]

    def is_closed(self, now_ms: int) -> bool:
        """Whether its period is over, in the budget's time zone."""
        end = self.alerts[0].period_end
        return end != ENDLESS and now_ms >= midnight_ms(self.name.zone, date.fromisoformat(end).toordinal())


def alert_by_id(connection: Connection, reference: str) -> StoredAlert | None:
    """Return the alert of a public id, in any case, or None."""
    public_id = reference.strip().upper()
    if not _PUBLIC_ID.fullmatch(public_id):
        return None
    return next(iter(load_alerts(connection, "public_id = ?", public_id)), None)


def episode_of(connection: Connection, alert: StoredAlert) -> Episode:
    """Return the episode that an alert belongs to."""
    rows = _names(connection, "s.id = ?", alert.scope_id)
    return Episode(rows[0], _alerts(connection, rows[0], alert.period_start, alert.subject))


def scopes_called(connection: Connection, reference: str) -> list[ScopeName]:
    """Return the scopes of active budgets that go by a name, most exact reading first; case counts only if it must.

    A budget's name means all of its scopes. Empty where nothing is called so.
    """
    names = _names(connection, "b.active")
    given = reference.strip()
    wanted = {given, given.replace(" / ", "/")}  # as it is written, and as lists show it
    for fold in (str, str.casefold, _as_shown):
        for called in (ScopeName.full_names, ScopeName.short_names):
            found = [each for each in names if set(map(fold, wanted)) & set(map(fold, called(each)))]
            if found:
                return found
    return []


def firing_episodes(connection: Connection, names: Iterable[ScopeName]) -> list[Episode]:
    """Return the latest firing episode of each scope that has one; a single run's alert goes by its id alone."""
    latest: dict[int, str] = {}
    for alert in load_alerts(connection, "status = 'firing' AND subject = ''"):
        latest[alert.scope_id] = max(alert.period_start, latest.get(alert.scope_id, ""))
    return [
        Episode(name, _alerts(connection, name, latest[name.scope_id])) for name in names if name.scope_id in latest
    ]


def suggestions(connection: Connection, reference: str) -> list[str]:
    """Return what somebody may have meant: names and ids that look alike."""
    known: dict[str, str] = {each.public_id.casefold(): each.public_id for each in _firing(connection)}
    for name in _names(connection, "b.active"):
        known.update({each.casefold(): name.label for each in (name.label, *name.short_names())})
        known.setdefault(name.budget.casefold(), name.budget)
    close = get_close_matches(reference.strip().casefold()[:200], known, n=_SUGGESTIONS, cutoff=0.6)
    return list(dict.fromkeys(known[each] for each in close))


def run_names(connection: Connection, uuids: Collection[str]) -> dict[str, str]:
    """Return the names of runs by their MLflow ids."""
    sql = "SELECT run_uuid, name FROM run WHERE source_id IN (SELECT id FROM source) AND run_uuid IN {values}"
    return {row.run_uuid: row.name for row in select_in(connection, sql, sorted(uuids))}


def _as_shown(name: str) -> str:
    return one_line(name, 1000).casefold()


def _firing(connection: Connection) -> Collection[StoredAlert]:
    return load_alerts(connection, "status = 'firing'")


def _alerts(connection: Connection, name: ScopeName, period_start: str, subject: str = "") -> list[StoredAlert]:
    where = "budget_id = ? AND scope_id = ? AND period_start = ? AND subject = ?"
    return load_alerts(connection, where, name.budget_id, name.scope_id, period_start, subject)


def _names(connection: Connection, where: str, *values: object) -> list[ScopeName]:
    rows = query(
        connection,
        "SELECT s.budget_id, s.id, b.name, b.uid, s.key, b.spec FROM scope s JOIN budget b ON b.id = s.budget_id "
        f"WHERE {where} ORDER BY s.id",
        *values,
    )
    zones: dict[str, str] = {}
    found = []
    for budget_id, scope_id, name, uid, key, spec in rows:
        zone = zones.setdefault(spec, zones.get(spec) or zone_of(spec))
        found.append(ScopeName(budget_id, scope_id, name, uid, decode_scope(key), zone, currency_of(spec)))
    return found
