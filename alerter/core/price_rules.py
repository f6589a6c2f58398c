"""What ``prices.yaml`` says, as values: rules, rates, rewrites, multipliers. Prices are decimals, never floats."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fnmatch import translate
from functools import lru_cache

from alerter.core.budgets import matches
from alerter.core.periods import DAY_MS
from alerter.core.usage import Tokens

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
TAG = "tag."

GlobRates = tuple[tuple[str, Decimal], ...]
"""``(glob, price)``; the first glob that fits gives the price."""

Facts = Mapping[str, tuple[str, ...]]
"""What is known of a usage: each key's value, in each of its spellings."""


@lru_cache(maxsize=4096)
def _compiled(glob: str) -> re.Pattern[str]:
    return re.compile(translate(glob), re.IGNORECASE)


def fits(glob: str, value: str) -> bool:
    """Tell whether a provider's word fits a glob (``*``, ``?``, ``[...]``) as a whole, whatever its case."""
    return glob == "*" or _compiled(glob).match(value) is not None


def rate_for(rates: GlobRates, names: Iterable[str]) -> tuple[str, Decimal] | None:
    """Return the first ``(glob, price)`` that any of a thing's names fits; None if none does."""
    spellings = tuple(names)
    return next(((glob, price) for glob, price in rates if any(fits(glob, name) for name in spellings)), None)


@dataclass(frozen=True, slots=True)
class Match:
    """Which usage a rule is for: each key's value must fit one of its globs.

    Keys are ``instance_type``, ``provider``, ``region``, ``purchase_option``, ``gpu_type``, whose case doesn't matter,
    and ``tag.NAME``, matched as budgets match. A key that the usage doesn't have fits nothing, not even ``*``.
    """

    wanted: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def accepts(self, facts: Facts) -> bool:
        """Tell whether a usage is meant."""
        for key, globs in self.wanted:
            fit = matches if key.startswith(TAG) else fits
            if not any(fit(glob, value) for value in facts.get(key, ()) for glob in globs):
                return False
        return True

    def label(self) -> str:
        """Return the globs for people: ``onprem-*``, ``provider databricks, tag.sku JOBS*``; ``*`` if there is none."""
        return (
            ", ".join(
                "|".join(globs) if key == "instance_type" else f"{key} {'|'.join(globs)}" for key, globs in self.wanted
            )
            or "*"
        )


@dataclass(frozen=True, slots=True)
class Term:
    """UTC days ``[start, end)`` in which something is in force; None is open."""

    start: date | None = None
    end: date | None = None

    def covers(self, at_ms: int) -> bool:
        """Tell whether an instant (epoch ms) falls into it."""
        return (self.start is None or at_ms >= utc_midnight_ms(self.start)) and (
            self.end is None or at_ms < utc_midnight_ms(self.end)
        )

    @property
    def as_of(self) -> str:
        """The first day (ISO), ``""`` where it was always in force."""
        return self.start.isoformat() if self.start is not None else ""

    def edges(self) -> Iterator[int]:
        """Yield the instants (epoch ms) at which it begins and ends."""
        for day in (self.start, self.end):
            if day is not None:
                yield utc_midnight_ms(day)


ALWAYS = Term()


def utc_midnight_ms(day: date) -> int:
    """Return a UTC day's first instant in epoch ms."""
    return (day.toordinal() - _EPOCH_ORDINAL) * DAY_MS


@dataclass(frozen=True, slots=True)
class ResourceRates:
    """Prices of parts, each per hour; None (or no fitting glob) is no price.

    Attributes:
        per_vcpu_hour: one virtual CPU.
        per_gib_hour: one GiB of memory.
        per_gpu_hour: one GPU, by globs on its type.
        per_gpu_gib_hour: one GiB of GPU memory, for usage that tells nothing else of its GPUs.
    """

    per_vcpu_hour: Decimal | None = None
    per_gib_hour: Decimal | None = None
    per_gpu_hour: GlobRates = ()
    per_gpu_gib_hour: Decimal | None = None

    def __bool__(self) -> bool:
        return self != _NO_RATES


_NO_RATES = ResourceRates()

OPENCOST_RATES = ResourceRates(
    per_vcpu_hour=Decimal("0.031611"),
    per_gib_hour=Decimal("0.004237"),
    per_gpu_hour=(("T4", Decimal("0.35")), ("*", Decimal("0.95"))),
    per_gpu_gib_hour=Decimal("0.04"),
)
"""USD, the defaults of OpenCost for what it knows (CPU, memory, a GPU)."""


@dataclass(frozen=True, slots=True)
class PriceRule:
    """One entry of ``prices:``.

    Attributes:
        where: readable name: ``prices.yaml #2 onprem-*``.
        match: which usage it is for.
        per_instance_hour: the price of one machine with all its parts.
        rates: prices of parts instead.
        per_dbu: the price of a Databricks unit, beside the machine's.
        term: the days in which it is in force.
    """

    where: str
    match: Match
    per_instance_hour: Decimal | None = None
    rates: ResourceRates = _NO_RATES
    per_dbu: Decimal | None = None
    term: Term = ALWAYS

    @property
    def prices_machines(self) -> bool:
        """Whether it prices machines or their parts."""
        return self.per_instance_hour is not None or bool(self.rates)


@dataclass(frozen=True, slots=True)
class DeriveRule:
    """One entry of ``derive:``: an instance type without ``strip_prefix`` is looked up and its price multiplied."""

    match: Match
    strip_prefix: str
    multiplier: Decimal


@dataclass(frozen=True, slots=True)
class Multiplier:
    """One entry of ``multipliers:``; all that match apply together."""

    match: Match
    factor: Decimal
    reason: str
    term: Term = ALWAYS


@dataclass(frozen=True, slots=True)
class TokenRule:
    """One entry of ``tokens:``: prices of a million tokens of the models that ``models`` (globs) fit."""

    where: str
    models: tuple[str, ...]
    per_million_input: Decimal
    per_million_output: Decimal
    per_million_cached: Decimal | None = None
    term: Term = ALWAYS

    def cost(self, used: Tokens) -> Decimal:
        """Return what tokens cost; those from a cache cost as others do where they have no price of their own."""
        cached = self.per_million_input if self.per_million_cached is None else self.per_million_cached
        fresh = used.input_tokens - used.cached_input_tokens
        whole = self.per_million_input * fresh + cached * used.cached_input_tokens
        return (whole + self.per_million_output * used.output_tokens) / 1_000_000

    @property
    def rule(self) -> str:
        """Where it stands, and what it says: a later edit of prices.yaml doesn't take that from a charge."""
        cached = "" if self.per_million_cached is None else f", cached {self.per_million_cached:f}"
        return f"{self.where}: in {self.per_million_input:f}{cached}, out {self.per_million_output:f} a million"


@dataclass(frozen=True, slots=True)
class Defaults:
    """What usage is taken for that doesn't say; lower case."""

    provider: str = "aws"
    region: str = "us-east-1"
    purchase_option: str = "on_demand"


@dataclass(frozen=True, slots=True)
class LoggedCost:
    """The metrics and tags by which runs log their own cost."""

    metrics: tuple[str, ...] = ("cost_usd",)
    tags: tuple[str, ...] = ("cost_usd",)


_HARD = frozenset({"USD", "EUR", "GBP", "CHF"})


def dearest_hour(currency: str) -> Decimal:
    """Return the most that an hour of one machine is believed to cost; other currencies may be of small units."""
    return Decimal(10_000) if currency in _HARD else Decimal(10_000_000)


def _sagemaker(multiplier: str, *globs: str) -> DeriveRule:
    return DeriveRule(Match((("instance_type", globs),)), "ml.", Decimal(multiplier))


SAGEMAKER: tuple[DeriveRule, ...] = (
    _sagemaker("1.20", "ml.t3.*", "ml.m5.*", "ml.c5.*"),
    _sagemaker("1.40", "ml.g4dn.xlarge", "ml.g5.xlarge", "ml.g6.xlarge"),
    _sagemaker("1.25", "ml.g4dn.*", "ml.g5.*", "ml.g6.*"),
    _sagemaker("1.15", "ml.p4d.*", "ml.p5.*"),
)
"""SageMaker's prices over EC2's, constant within a family (28 types compared, within 0.4 %)."""


@dataclass(frozen=True)
class PriceRules:
    """All of ``prices.yaml`` but its catalogs; the defaults are what holds without the file.

    Attributes:
        currency: ISO-4217, of every price.
        defaults: provider, region and purchase option of usage that doesn't say.
        prices: tried before catalogs, in order.
        derive: tried after catalogs, in order.
        resources: prices of parts where there is no instance price.
        storage_per_gib_month: a month is 730 h.
        multipliers: discounts and surcharges, on everything that they match.
        logged_cost: where runs log their own cost.
        fallback_per_run_hour: the price of a run that nothing else prices; None is off.
        tokens: prices of LLM tokens, tried before genai-prices, in order.
        tag_keys: the tags that any rule matches on; no other tag changes a price.
        edges_ms: the instants (epoch ms) at which any dated price begins or ends, ascending.
    """

    currency: str = "USD"
    defaults: Defaults = Defaults()
    prices: tuple[PriceRule, ...] = ()
    derive: tuple[DeriveRule, ...] = SAGEMAKER
    resources: ResourceRates = OPENCOST_RATES
    storage_per_gib_month: Decimal | None = Decimal("0.023")
    multipliers: tuple[Multiplier, ...] = ()
    logged_cost: LoggedCost = LoggedCost()
    fallback_per_run_hour: Decimal | None = None
    tokens: tuple[TokenRule, ...] = ()
    tag_keys: frozenset[str] = field(init=False, compare=False, repr=False)
    edges_ms: tuple[int, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        rules: tuple[PriceRule | DeriveRule | Multiplier, ...] = (*self.prices, *self.derive, *self.multipliers)
        wanted = (key for rule in rules for key, _ in rule.match.wanted)
        keys = frozenset(key.removeprefix(TAG) for key in wanted if key.startswith(TAG))
        object.__setattr__(self, "tag_keys", keys)
        dated: tuple[PriceRule | Multiplier, ...] = (*self.prices, *self.multipliers)
        edges = {edge for each in dated for edge in each.term.edges()}
        object.__setattr__(self, "edges_ms", tuple(sorted(edges)))

    def __hash__(self) -> int:
        """Hash what is cheap to hash: rules key a cache that is asked for every usage set and day."""
        return hash((self.currency, len(self.prices), len(self.multipliers), len(self.derive)))


def next_change_ms(rules: PriceRules, after_ms: int) -> int | None:
    """Return the first instant (epoch ms) after ``after_ms`` at which a dated price begins or ends, if any."""
    following = bisect_right(rules.edges_ms, after_ms)
    return rules.edges_ms[following] if following < len(rules.edges_ms) else None
