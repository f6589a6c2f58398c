"""The bodies of the JSON API as OpenAPI describes them. They document; what is sent is what the command line prints."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Amount = str
"""A decimal number as text, such as ``"812.40"``: exact, in the budget's currency."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PeriodBody(_Body):
    """Local days ``[start, end)``, ISO 8601."""

    kind: Literal["daily", "weekly", "monthly", "quarterly", "yearly", "fixed", "rolling"]
    start: str = Field(examples=["2026-11-01"])
    end: str = Field(examples=["2026-12-01"])


class RestatedBody(_Body):
    """A period that is over whose total changed since it closed, by ``restated``; it fires and resolves nothing."""

    period_start: str = Field(examples=["2026-10-01"])
    period_end: str
    closed_at: str
    spent_when_closed: Amount
    spent: Amount
    restated: Amount = Field(examples=["-42.10"])


class BudgetBody(_Body):
    """One scope of one budget; ``spent`` is ``settled`` plus ``accruing``."""

    budget: str
    scope: dict[str, str] = Field(examples=[{"team": "vision"}])
    period: PeriodBody
    currency: str = Field(examples=["USD"])
    amount: Amount
    spent: Amount
    settled: Amount
    accruing: Amount
    percent: float = Field(examples=[81.24])
    forecast: Amount | None
    runs: int
    priced_percent: float = Field(description="of its run time in the period", examples=[94.2])
    unpriced_tokens: int = Field(description="LLM tokens used in the period that have no price")
    components: dict[str, Amount] = Field(examples=[{"machines": "800.00", "storage": "12.40", "tokens": "0.00"}])
    restated: list[RestatedBody]


class HoursBody(_Body):
    """Run time in hours, by how far its price can be trusted; an hour of a run counts once."""

    priced: float
    low_confidence: float
    unpriced: float
    suspected_stale: float


class UntaggedBody(_Body):
    """The run time that a budget with ``group_by`` counts to ``(untagged)``."""

    budget: str
    percent: float
    hours: float


class GapBody(_Body):
    """A part of runs' machines that has no price."""

    meter: str = Field(examples=["gpu"])
    missing: str
    hours: float
    runs: int


class CoverageBody(_Body):
    """How much of the current month's run time had a price; ``period`` is ``[start, end)``."""

    period: list[str] = Field(examples=[["2026-11-01T00:00:00Z", "2026-11-23T13:31:20Z"]])
    priced_percent: float
    hours: HoursBody
    suspected_stale_cost: Amount
    clamped_runs: int
    untagged: list[UntaggedBody]
    gaps: list[GapBody]


class StatusBody(_Body):
    """Where every budget stands; ``as_of`` is the data's time, null before the first complete poll."""

    as_of: str | None = Field(examples=["2026-11-23T13:31:20Z"])
    stale: bool
    coverage: CoverageBody
    budgets: list[BudgetBody]


class DeliveryBody(_Body):
    """One message that tells of an alert."""

    receiver: str
    kind: str = Field(examples=["slack"])
    state: str = Field(examples=["sent"])
    attempts: int


class AlertBody(_Body):
    """One alert: a threshold of one budget, scope and period, or a run (its MLflow id) that passed its limit."""

    id: str = Field(examples=["A-7F3K"])
    budget: str
    scope: dict[str, str]
    period_start: str
    basis: Literal["actual", "forecast", "run"]
    threshold: int
    run: str | None
    currency: str
    amount: Amount
    spent: Amount
    status: Literal["firing", "acknowledged", "snoozed", "resolved"]
    fired_at: str
    reason: str | None = Field(description="why it was told last, or has resolved; null if nobody was told")
    silence: str | None = Field(description="why nothing is told of it now")
    acknowledged_by: str | None
    acknowledged_via: str | None
    acknowledged_at: str | None
    until: str | None
    note: str | None
    deliveries: list[DeliveryBody]


class AlertsBody(_Body):
    """The alerts, the oldest first."""

    alerts: list[AlertBody]


class ReadyBody(_Body):
    """Whether data can be asked for, and why not."""

    ready: bool
    reasons: list[str]
    role: str | None = Field(
        default=None, examples=["standing by; db-2 (process 4711) polls"], description="of several daemons only"
    )
