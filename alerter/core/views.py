"""What people are shown of budgets, alerts and runs: the same values for the CLI, Slack, the page and the JSON API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from alerter.core.alerts import AlertStatus
from alerter.core.budgets import Basis, Scope
from alerter.core.chart import BurnUp
from alerter.core.money import human
from alerter.core.periods import Period
from alerter.core.wording.style import without_price


@dataclass(frozen=True, slots=True)
class Restatement:
    """A closed period of one scope whose total changed since: late runs, or corrections.

    Attributes:
        period: which one.
        closed_ms: when it closed and ``before_nanos`` was its total, epoch milliseconds.
        after_nanos: its total now.
    """

    period: Period
    closed_ms: int
    before_nanos: int
    after_nanos: int

    @property
    def nanos(self) -> int:
        """By how much it was restated; negative where it came to less."""
        return self.after_nanos - self.before_nanos

    def words(self, currency: str) -> str:
        """Return it in words: ``October restated by -$42.10 since it closed``."""
        sign = "+" if self.nanos > 0 else ""
        return f"{self.period.label()} restated by {sign}{human(self.nanos, currency, cents=True)} since it closed"


@dataclass(frozen=True, slots=True)
class BudgetStatus:
    """Where one scope of one budget stands in its current period.

    Attributes:
        budget, scope: which one; ``title`` is how people say it.
        period_kind: ``monthly`` ...; ``period`` its label such as ``November``; ``period_start`` and ``period_end`` are
            local ISO dates ``[start, end)`` in ``timezone``.
        amount_nanos: what may be spent in the period, in ``currency``.
        spent_nanos: ``settled_nanos`` (ended segments) plus ``accruing_nanos`` (running ones, up to the data's time).
        percent: spent of amount, two places; see `percent_of`.
        forecast_nanos: at the period's end; None where none can be made. ``forecast_band``: (least, most) of it;
            ``forecast_day_nanos``: a day from now.
        runs: how many runs contributed.
        run_ms, unpriced_ms: their run time, and how much of it has no price; both 0 where all of it has one.
        unpriced_tokens: LLM tokens that were used and have no price.
        stale: a source could not be read since, so more may have been spent.
        suspected_nanos: what running runs would have cost since their last signs of life; not counted.
        components: of ``spent_nanos`` what was for ``machines``, ``storage`` and ``tokens``.
        restated: of its last closed periods those whose totals changed since, the newest first.
    """

    budget: str
    scope: Scope
    period_kind: str
    period: str
    period_start: str
    period_end: str
    timezone: str
    currency: str
    amount_nanos: int
    spent_nanos: int
    settled_nanos: int
    accruing_nanos: int
    percent: Decimal
    forecast_nanos: int | None = None
    runs: int = 0
    stale: bool = False
    suspected_nanos: int = 0
    components: Mapping[str, int] = field(default_factory=dict)
    restated: Sequence[Restatement] = ()
    forecast_band: tuple[int, int] | None = None
    forecast_day_nanos: int | None = None
    run_ms: int = 0
    unpriced_ms: int = 0
    unpriced_tokens: int = 0

    @property
    def priced_percent(self) -> Decimal:
        """How much of its run time has a price, in percent with two places, rounded down; 100 where there was none."""
        priced = (self.run_ms - self.unpriced_ms) * 10_000 // self.run_ms if self.run_ms else 10_000
        return Decimal(priced).scaleb(-2)

    def priced_words(self) -> str:
        """Return that share in whole percent, rounded down: ``72 %``."""
        return f"{int(self.priced_percent)} %"

    def unpriced_words(self) -> Sequence[str]:
        """Return what has no price in words: ``72 % of run time priced``, ``no price for 4,700,000 LLM tokens``."""
        time = [f"{self.priced_words()} of run time priced"] if self.unpriced_ms else []
        return [*time, *filter(None, [without_price(self.unpriced_tokens)])]

    def priced_cell(self) -> str:
        """Return it for a table: ``72 %``, ``not 4,700,000 tokens``, or both where both is so."""
        tokens = f"not {self.unpriced_tokens:,} tokens" if self.unpriced_tokens else ""
        time = self.priced_words() if self.unpriced_ms or not tokens else ""
        return ", ".join(filter(None, (time, tokens)))

    @property
    def title(self) -> str:
        """The scope's tag values, or the budget's name where it has no ``group_by``."""
        return title_of(self.budget, self.scope)

    def component_words(self) -> str:
        """Return what was for what: ``machines $9,728 · storage $12``; ``""`` where all was for machines."""
        if not any(nanos for name, nanos in self.components.items() if name != "machines"):
            return ""
        return " · ".join(f"{name} {human(nanos, self.currency)}" for name, nanos in self.components.items() if nanos)


@dataclass(frozen=True, slots=True)
class RunCost:
    """One run by what it cost in the current period of one budget.

    Attributes:
        name, url: for people; ``url`` is ``""`` where no tracking UI is known.
        budget, scope: what it is counted to; ``""`` and ``()`` in a list over everything.
        machine: such as ``4 x p4d.24xlarge (from num_workers)``.
        running: it still accrues.
        cost_nanos: in ``currency``, in the period.
        per_hour_nanos: its burn now; 0 when it has ended.
        stale_nanos: what it would have cost since its last sign of life; not counted.
    """

    run_uuid: str
    name: str
    budget: str
    scope: Scope
    machine: str
    running: bool
    currency: str
    cost_nanos: int
    per_hour_nanos: int
    url: str = ""
    stale_nanos: int = 0


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """Where one message of an alert stands: ``state`` is the outbox's word, ``attempts`` how often it was tried."""

    receiver: str
    kind: str
    state: str
    attempts: int


@dataclass(frozen=True, slots=True)
class AlertView:
    """One alert as lists show it.

    Attributes:
        id: public id such as ``A-7F3K``.
        period: label such as ``November``; ``period_start`` its first local ISO date.
        basis, threshold: what was crossed, in whole percent.
        run, run_name: of a single run that passed its limit, its MLflow id and name, else ``""``; then the amounts are
            that limit and what the run had cost.
        amount_nanos, spent_nanos: when it was last told, in ``currency``.
        fired_at_ms: epoch milliseconds.
        acknowledged_by, via, held_at_ms, until, note: of the hold that keeps it quiet; ``""`` and 0 without one.
        reason: why it was told last, or has resolved; ``""`` if nobody was told.
        silence: why nothing is told of it now; ``""`` if something just was.
    """

    id: str
    budget: str
    scope: Scope
    period: str
    period_start: str
    basis: Basis
    threshold: int
    currency: str
    amount_nanos: int
    spent_nanos: int
    status: AlertStatus
    fired_at_ms: int
    acknowledged_by: str = ""
    until: str = ""
    note: str = ""
    deliveries: tuple[DeliveryView, ...] = ()
    run: str = ""
    run_name: str = ""
    via: str = ""
    held_at_ms: int = 0
    reason: str = ""
    silence: str = ""

    @property
    def title(self) -> str:
        """The scope's tag values, or the budget's name where it has no ``group_by``; of a single run its name too."""
        title = title_of(self.budget, self.scope)
        return f"{title} · {self.run_name or self.run}" if self.run else title

    @property
    def crossed(self) -> str:
        """What was crossed, such as ``80 %``, ``forecast 100 %`` or ``limit of a run``."""
        if self.basis is Basis.RUN:
            return "limit of a run"
        return f"{'forecast ' if self.basis is Basis.FORECAST else ''}{self.threshold} %"


@dataclass(frozen=True, slots=True)
class SourceView:
    """How fresh a source's data is; ``problem`` is why it can't be read, ``""`` while it can."""

    name: str
    last_complete_ms: int | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class UndeliveredView:
    """A message that did not get out (yet).

    Attributes:
        receiver, kind, state, attempts: as in the outbox.
        what: its subject.
        since_ms: when it was decided.
        problem: what the service said last; holds no secret.
    """

    receiver: str
    kind: str
    state: str
    attempts: int
    what: str
    since_ms: int
    problem: str = ""


@dataclass(frozen=True, slots=True)
class PageData:
    """Everything on the status page.

    Attributes:
        now_ms: when it was put together; ages are counted from it.
        as_of_ms: the data's time, None before the first complete poll.
        stale: a source could not be read since.
        timezone: IANA name in which instants are shown.
        alerts: those that are not resolved.
        problems: of the configuration and of the daemon, one sentence each, with the remedy.
        charts: by the id of the alert beside which each is drawn.
        role: whether this daemon polls or stands by, in words; ``""`` where there can be no other.
    """

    now_ms: int
    as_of_ms: int | None
    stale: bool
    version: str
    timezone: str = "UTC"
    budgets: Sequence[BudgetStatus] = ()
    alerts: Sequence[AlertView] = ()
    undelivered: Sequence[UndeliveredView] = ()
    sources: Sequence[SourceView] = ()
    problems: Sequence[str] = ()
    charts: Mapping[str, BurnUp] = field(default_factory=dict)
    role: str = ""


def title_of(budget: str, scope: Scope) -> str:
    """Return how people call a scope: its tag values (``vision / cc-1``), or the budget's name without any."""
    return " / ".join(value for _, value in scope) or budget


def percent_of(part_nanos: int, amount_nanos: int) -> Decimal:
    """Return a share in percent with two places, rounded down; 0 where there is no amount.

    >>> percent_of(812_400_000_000, 1_000_000_000_000)
    Decimal('81.24')
    """
    if amount_nanos <= 0:
        return Decimal("0.00")
    return Decimal(part_nanos * 10_000 // amount_nanos).scaleb(-2)
