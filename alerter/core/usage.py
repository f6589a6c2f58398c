"""What a source observed: runs as they were seen, and the usages that are priced."""

from __future__ import annotations

from dataclasses import astuple, dataclass, field
from decimal import Decimal
from enum import StrEnum

Pairs = tuple[tuple[str, str], ...]
"""Sorted key-value pairs: a hashable, comparable mapping of text to text."""


class RunStatus(StrEnum):
    """MLflow's run status; the label never decides what is charged, except that SCHEDULED has not begun."""

    RUNNING = "RUNNING"
    SCHEDULED = "SCHEDULED"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"


@dataclass(slots=True)
class RunObservation:
    """One run as a poll saw it.

    Nobody changes one; ``frozen`` would take four times as long to make it, and a first sync makes a million.

    Attributes:
        run_uuid: MLflow's run id.
        experiment_id: MLflow's experiment id.
        name: the run's name, as the client wrote it (untrusted text).
        user: the client's claim of who started it.
        status: MLflow's label.
        start_ms: epoch milliseconds, the client's word.
        end_ms: epoch milliseconds or None; an old value stays on a resumed run.
        deleted: the run is in MLflow's recycle bin.
        tags: the experiment's tags overlaid by the run's, without ``mlflow.*``, plus the built-in keys
            ``experiment``, ``experiment_id``, ``user``, ``source``, ``workspace``.
        usage: the raw params and tags that prices need (``instance_type``, ``num_workers``, ...).
        last_metric_ms: the newest metric's timestamp, the sign of life; None where it never logged one, and perhaps
            where it had ended before it was first read.
        parent_uuid: the run that it is nested in.
        costs: totals to date that the run logged of its own cost: ``metric.NAME`` or ``tag.NAME``, and decimal text.
    """

    run_uuid: str
    experiment_id: str
    name: str
    user: str
    status: RunStatus
    start_ms: int
    end_ms: int | None
    deleted: bool
    tags: Pairs
    usage: Pairs
    last_metric_ms: int | None = None
    parent_uuid: str | None = None
    costs: Pairs = ()

    @property
    def is_live(self) -> bool:
        """Whether it may still accrue: RUNNING and not deleted."""
        return self.status is RunStatus.RUNNING and not self.deleted


class Meter(StrEnum):
    """What a charge is for."""

    MACHINE = "machine"
    VCPU = "vcpu"
    GIB = "gib"
    GPU = "gpu"
    STORAGE = "storage"
    TOKENS = "tokens"
    LOGGED = "logged"
    DRIVER = "driver"
    DBU = "dbu"


COMPONENTS: dict[str, frozenset[Meter]] = {
    "machines": frozenset(
        {Meter.MACHINE, Meter.DRIVER, Meter.VCPU, Meter.GIB, Meter.GPU, Meter.DBU, Meter.LOGGED},
    ),
    "storage": frozenset({Meter.STORAGE}),
    "tokens": frozenset({Meter.TOKENS}),
}
"""The names that ``components:`` of a budget may list, and the meters of each."""

NOT_RUNS = COMPONENTS["storage"] | COMPONENTS["tokens"]
"""Meters whose charges stand in rows of their own, which are no runs."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A quantity that could not be used as it was logged.

    Attributes:
        key: the param or tag.
        text: what it said, shortened (untrusted text).
        why: what is wrong with it, and what was counted instead.
        field: the field of `Resources` that it would have given.
    """

    key: str
    text: str
    why: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class Resources:
    """The machine that a run says it used, read out of its params and tags.

    Attributes:
        instance_type: the provider's name for the machine, stripped; None where not logged.
        nodes: how many of them (1 where not logged).
        nodes_from: the key that gave ``nodes``, for messages ("8 nodes, from num_workers"); None if assumed.
        provider, region, purchase_option: as logged, lower case; None lets the price book's default apply.
        gpu_count: GPUs in all; a type with no count means one.
        gpu_type: such as ``T4``.
        gpu_memory_gib, vcpus, memory_gib: quantities in GiB and virtual CPUs, in all.
        resource_id: the machine's identity, for sharing.
        driver_type: a cluster's one driver, where its type is not ``instance_type``; not among ``nodes``.
        dbus: Databricks units per hour, in all.
        problems: what could not be read; such a quantity counts as absent.
    """

    instance_type: str | None = None
    nodes: int = 1
    nodes_from: str | None = None
    provider: str | None = None
    region: str | None = None
    purchase_option: str | None = None
    gpu_count: Decimal | None = None
    gpu_type: str | None = None
    gpu_memory_gib: Decimal | None = None
    vcpus: Decimal | None = None
    memory_gib: Decimal | None = None
    resource_id: str | None = None
    driver_type: str | None = None
    dbus: Decimal | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class MachineTime:
    """Machines held over ``[start_ms, end_ms)``; ``tags`` are for price rules that match on them."""

    resources: Resources
    start_ms: int
    end_ms: int
    tags: Pairs = field(default=())


@dataclass(frozen=True, slots=True)
class StoredBytes:
    """Bytes held over ``[start_ms, end_ms)``."""

    size: int
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class TokenCount:
    """How many tokens of each kind, in the words of their prices; a reversal's are negative.

    Attributes:
        fresh: input that neither came from a cache nor went into one.
        cached: input from a cache.
        into_cache: input that was written into a cache.
        out: output.
    """

    fresh: int = 0
    cached: int = 0
    into_cache: int = 0
    out: int = 0

    def __add__(self, other: TokenCount) -> TokenCount:
        return TokenCount(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    def __neg__(self) -> TokenCount:
        return TokenCount(*(-each for each in astuple(self)))

    def __str__(self) -> str:
        named = {"in": self.fresh, "cached": self.cached, "into the cache": self.into_cache, "out": self.out}
        return ", ".join(f"{count:,} {name}" for name, count in named.items() if count)

    @property
    def total(self) -> int:
        """All of them."""
        return self.fresh + self.cached + self.into_cache + self.out

    def within(self, whole: tuple[int, int], part: tuple[int, int]) -> TokenCount:
        """Return what of them, spread evenly over ``[start, end)``, falls into a part; parts sum to the whole."""
        start, end = whole
        low, high = (at - start for at in part)
        length = end - start
        return TokenCount(*(each * high // length - each * low // length for each in astuple(self)))


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of one model used at an instant; ``input_tokens`` are all of them, those from and into a cache too.

    ``model`` is ``""`` where nothing tells it, ``provider`` and ``tier`` (``flex``, ``batch``, ...) likewise.
    """

    model: str
    at_ms: int
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    provider: str = ""
    tier: str = ""

    @property
    def total(self) -> int:
        """All of them."""
        return self.input_tokens + self.output_tokens

    @property
    def count(self) -> TokenCount:
        """How many of each kind."""
        fresh = max(self.input_tokens - self.cached_input_tokens - self.cache_write_tokens, 0)
        return TokenCount(fresh, self.cached_input_tokens, self.cache_write_tokens, self.output_tokens)
