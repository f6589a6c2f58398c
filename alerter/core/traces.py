"""Traces of LLM calls: what a source tells of them, and the quarter-hours that their tokens are charged in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol, runtime_checkable

from alerter.core.usage import Pairs, Tokens

BUCKET_MS = 15 * 60_000
"""Tokens of a quarter of an hour are one charge: no time zone's midnight falls inside one."""

UNKNOWN_MODEL = "no price for model "
"""How a gap of tokens begins whose model is known by its name, which follows."""


@dataclass(frozen=True, slots=True)
class TraceUse:
    """The tokens of one finished trace.

    Attributes:
        trace_id: MLflow's id of it.
        at_ms: when it began (epoch ms); its tokens are charged then.
        experiment_id: where it was logged.
        tags: its experiment's, with the built-in keys.
        own: its own tags, without ``mlflow.*`` and built-in keys.
        source_run: the run that logged it, if one did.
        used: its tokens by model; an LLM call is counted once, however many spans sum it up.
        logged_cost: what MLflow says that it cost, in USD; None where it says nothing.
        logged_tokens: what MLflow says of input and output together.
    """

    trace_id: str
    at_ms: int
    experiment_id: str
    tags: Pairs
    own: Pairs = ()
    source_run: str | None = None
    used: tuple[Tokens, ...] = ()
    logged_cost: Decimal | None = None
    logged_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class TraceRequest:
    """What a source needs to know to read traces.

    Attributes:
        cursor: text of the last batch that was recorded, ``""`` at first; only the source reads it.
        since_ms: where reading begins at first.
        now_ms: the poll's time; traces that claim to be later wait for theirs.
        limit: traces to read at most; the next poll goes on after them.
        counted: returns those of some trace ids that are in the ledger already.
    """

    cursor: str
    since_ms: int
    now_ms: int
    limit: int
    counted: Callable[[Collection[str]], Collection[str]]


@dataclass(frozen=True, slots=True)
class TraceBatch:
    """Traces of one bounded read, to be recorded together with ``cursor``.

    ``again`` are those that are counted already, with the tags that they have now; nothing is told of their tokens.
    None from before ``keep_ms`` is ever read again. ``behind`` tells that there are newer ones still to read.
    """

    traces: Sequence[TraceUse]
    cursor: str
    keep_ms: int
    behind: bool = False
    again: Sequence[TraceUse] = ()


@runtime_checkable
class TraceSource(Protocol):
    """A tracking server that has traces."""

    name: str

    def traces(self, request: TraceRequest) -> Iterator[TraceBatch]:
        """Yield what is new, and a bounded slice of the last day again for traces that were logged late.

        Raises:
            SourceError: the server can't be read; the batches so far stand.
        """
        ...


def bucket_of(at_ms: int) -> tuple[int, int]:
    """Return the quarter-hour ``[start, end)`` in epoch ms that an instant falls in."""
    start = at_ms - at_ms % BUCKET_MS
    return start, start + BUCKET_MS


def differs(logged: Decimal | int | None, ours: Decimal | int) -> bool:
    """Tell whether what was logged and what is counted are more than 5 % apart; never where nothing was logged."""
    if logged is None:
        return False
    return abs(Decimal(ours) - Decimal(logged)) * 20 > abs(Decimal(logged))
