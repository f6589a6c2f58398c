"""Stored artifacts: what a source tells of them, and what holding bytes costs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, runtime_checkable

from alerter.core.charges import GIB_MONTH, MICRO, ChargeLine, Rate
from alerter.core.money import decimal_text, div_half_even
from alerter.core.multipliers import multiplied
from alerter.core.periods import DAY_MS
from alerter.core.ports import SourceError
from alerter.core.price_rules import PriceRules
from alerter.core.usage import Meter, Pairs, StoredBytes

GIB = 2**30
MOST_BYTES = 2**50
"""A pebibyte: what no run and no LoggedModel holds."""


class UnlistableError(SourceError):
    """What something holds can't be listed, now and at the next poll; the message says why in a few words."""


@dataclass(frozen=True, slots=True)
class Artifacts:
    """Whose: a run's own (``model_id`` is ``""``), or a LoggedModel's, with the run that logged it or ``""``."""

    run_uuid: str
    model_id: str = ""


@dataclass(frozen=True, slots=True)
class ModelSeen:
    """A LoggedModel as a source tells of it.

    Attributes:
        artifacts: which one, and the run that logged it.
        experiment_id: where it was logged.
        tags: its own over its experiment's, with the built-in keys; what counts where no run logged it.
        changed_ms: when MLflow last changed it (epoch ms).
        ready: nothing is uploaded to it any more.
    """

    artifacts: Artifacts
    experiment_id: str
    tags: Pairs
    changed_ms: int
    ready: bool = True


@dataclass(frozen=True, slots=True)
class ModelBatch:
    """LoggedModels in the order of their last change; ``behind`` tells that there are newer ones still to read."""

    models: Sequence[ModelSeen]
    behind: bool = False


@runtime_checkable
class ArtifactSource(Protocol):
    """A tracking server that can list artifacts."""

    name: str

    def artifact_bytes(self, artifacts: Artifacts) -> int | None:
        """Return how many bytes a run or a LoggedModel holds; None if the server has no such thing any more.

        Raises:
            UnlistableError: they can't be listed, whenever they are asked for.
            SourceError: the server can't be read now.
        """
        ...

    def models(self, since_ms: int, limit: int) -> Iterator[ModelBatch]:
        """Yield the LoggedModels that changed at an instant or later, the first ``limit`` at least.

        Raises:
            SourceError: the server can't be read; the batches so far stand.
        """
        ...

    def still_there(self, artifacts: Collection[Artifacts]) -> frozenset[Artifacts]:
        """Return those of some that the server still has; a deleted run is there until it is erased.

        Raises:
            SourceError: the server can't be read.
        """
        ...


def micro_gib(size: int) -> int:
    """Return bytes as a quantity: millionths of a GiB, at least one."""
    return max(div_half_even(size * MICRO, GIB), 1)


def utc_days(start_ms: int, end_ms: int) -> Iterator[tuple[int, int]]:
    """Yield the parts of ``[start, end)`` that lie in one UTC day each."""
    if start_ms < end_ms:
        first = start_ms - start_ms % DAY_MS + DAY_MS
        yield from pairwise([start_ms, *range(first, end_ms, DAY_MS), end_ms])


def price_storage(usage: StoredBytes, tags: Mapping[str, str], rules: PriceRules) -> tuple[ChargeLine, ...]:
    """Return what holding bytes costs, one line for each UTC day; none where storage has no price or nothing is held.

    Args:
        usage: how much was held, and when.
        tags: that multipliers may match on, cleaned as for budgets. A multiplier that names anything else is not meant.
        rules: ``prices.yaml``.
    """
    if rules.storage_per_gib_month is None or usage.size <= 0:
        return ()
    quantity = micro_gib(usage.size)
    # Prices change at UTC midnights only.
    days = utc_days(usage.start_ms, usage.end_ms)
    return tuple(ChargeLine(_rate(tags, rules, start), quantity, start, end) for start, end in days)


def _rate(tags: Mapping[str, str], rules: PriceRules, at_ms: int) -> Rate:
    listed = rules.storage_per_gib_month
    if listed is None:
        raise AssertionError("asked for only where storage has a price")
    price, by = multiplied(listed, rules.multipliers, tags, at_ms)
    rule = f"storage per_gib_month{by}"
    return Rate(Meter.STORAGE, decimal_text(price), decimal_text(listed), GIB_MONTH, rules.currency, rule)
