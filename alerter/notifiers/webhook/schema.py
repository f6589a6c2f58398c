"""The shape of a body, version 1: ``docs/webhook.schema.json`` is made from it.

Amounts are decimal text in the budget's currency, instants ISO 8601 in UTC, days ISO dates in the budget's time zone. A
later version may add keys and values; what is there keeps its meaning, else `VERSION` changes.
"""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import TypedDict  # pydantic's own, and what it asks for before Python 3.12

from alerter.core.alerts import AlertStatus, MessageKind
from alerter.core.budgets import Basis

VERSION: Literal[1] = 1


class Period(TypedDict):
    """``start`` is the first day, ``end`` the day after the last one."""

    label: str
    start: str
    end: str
    timezone: str


class Forecast(TypedDict):
    """What is expected at the period's end, with its band, and when 100 % is; null where that is not expected."""

    total: str
    low: str
    high: str
    crossing: str | None
    crossing_earliest: str | None
    crossing_latest: str | None


class Run(TypedDict):
    """A run behind an alert; ``suspected_stale`` is not counted."""

    run_id: str
    name: str
    user: str
    url: str
    machine: str
    running: bool
    cost: str
    cost_per_hour: str
    suspected_stale: str


class State(TypedDict):
    """Where an alert stands: who has acknowledged or snoozed it, until when in words, and their note."""

    status: AlertStatus
    by: str
    at: str | None
    until: str
    note: str


class Alert(TypedDict):
    """One (budget, scope, period) that crossed a threshold.

    ``repeat_at`` and ``escalate_at``: when it is told again, and to others, unless somebody acknowledges it.
    """

    id: str
    budget: str
    title: str
    scope: dict[str, str]
    period: Period
    basis: Basis
    threshold: int
    crossed: list[str]
    reason: str
    repeat_at: str | None
    escalate_at: str | None
    currency: str
    amount: str
    spent: str
    accruing: str
    percent: str
    recent: str
    forecast: Forecast | None
    days_left: int
    next_threshold: int | None
    owner: str | None
    runs: list[Run]
    more_runs: int
    priced_percent: int
    suspected_stale: str
    as_of: str
    stale: bool
    url: str
    state: State


class DigestBudget(TypedDict):
    """A budget's scope; ``moved`` was spent in the days that the digest looks back on, ``before`` in those before."""

    title: str
    period: str
    amount: str
    spent: str
    expected: str | None
    days_left: int
    moved: str
    before: str
    suspected_stale: str


class Digest(TypedDict):
    """What a receiver reads of its budgets every day or week; ``missing`` says what was not read when it was made."""

    name: str
    every: str
    day: str
    days: int
    timezone: str
    currency: str
    as_of: str
    budgets: list[DigestBudget]
    more_budgets: int
    over: int
    movers: list[DigestBudget]
    runs: list[Run]
    more_runs: int
    suspected_stale: str
    suspected_stale_runs: list[Run]
    priced_percent: int
    missing: list[str]
    url: str


class Body(TypedDict):
    """What is posted.

    ``event`` is ``told`` for a message and ``updated`` when its alerts' states have changed since; ``key`` is the
    message's own and the same for both. ``alerts`` are those that fit; ``more_alerts`` counts the others.
    """

    version: Literal[1]
    event: Literal["told", "updated"]
    kind: MessageKind
    key: str
    at: str
    title: str
    text: str
    alerts: list[Alert]
    more_alerts: int
    digest: Digest | None


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a body."""
    from pydantic import TypeAdapter  # noqa: PLC0415 - only the documentation needs it
    from pydantic.json_schema import GenerateJsonSchema  # noqa: PLC0415

    made = TypeAdapter(Body).json_schema()
    return {"$schema": GenerateJsonSchema.schema_dialect, **made}
