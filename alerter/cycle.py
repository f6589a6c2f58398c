"""The hall: fetch -> meter -> price -> record -> evaluate -> enqueue, once."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from threading import Event

from alerter.briefing import Moment
from alerter.core.periods import bounds_ms, period_at
from alerter.core.ports import Batch, PollRequest, RunSource, SourceError
from alerter.digests import tell_digests
from alerter.evaluate import evaluate_all
from alerter.folding import fold_some
from alerter.operators import tell_operators, tell_set_aside
from alerter.recording.outcome import NotNewError, Recorded
from alerter.restatements import close_periods
from alerter.run_alerts import judge_runs
from alerter.services import Services
from alerter.storage_cycle import StorageRead, note_runs, read_storage
from alerter.store import ledger, meta, sources
from alerter.store.old_messages import let_go_some
from alerter.store.sources import SourceState
from alerter.telling import tell
from alerter.token_cycle import follow_runs, read_tokens
from alerter.tokens import TokensRead

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
"""(source, runs read so far, runs expected or 0)."""


@dataclass(frozen=True, slots=True)
class Polled:
    """How one source's poll went; ``error`` is ``""`` if it is complete."""

    source: str
    recorded: Recorded = field(default_factory=Recorded)
    tokens: TokensRead = field(default_factory=TokensRead)
    storage: StorageRead = field(default_factory=StorageRead)
    running: int = 0
    seconds: float = 0.0
    error: str = ""


@dataclass(frozen=True, slots=True)
class CycleReport:
    """What a cycle did: polls, episodes that are told, messages that were put into the outbox, decisions by reason."""

    polls: tuple[Polled, ...]
    evaluated: bool
    fired: int = 0
    enqueued: int = 0
    decisions: Mapping[str, int] = field(default_factory=dict)

    @property
    def failed(self) -> tuple[Polled, ...]:
        """The polls that did not complete."""
        return tuple(each for each in self.polls if each.error)


def run_cycle(
    services: Services,
    now_ms: int,
    *,
    stop: Event | None = None,
    progress: Progress | None = None,
    clock: Callable[[], int] | None = None,
) -> CycleReport:
    """Poll every source, record what it showed, evaluate every budget, and enqueue what must be told.

    A source that can't be read leaves its last totals, marked stale, and stops no other one. Nothing is evaluated
    before a sweep is complete; see `_half_swept`. ``clock`` tells when something was read that took a while: what
    began or ended meanwhile is believed. Without one everything was read at once.

    Raises:
        StoreError: the database can't be used; what was committed before stands.
    """
    turn = _Turn(now_ms, stop or Event(), progress, clock or (lambda: now_ms))
    polls = tuple(_poll(services, source, turn) for source in services.sources if not turn.stop.is_set())
    return _evaluate(services, polls, now_ms, stopped=turn.stop.is_set())


def _evaluate(services: Services, polls: tuple[Polled, ...], now_ms: int, *, stopped: bool) -> CycleReport:
    """Evaluate every budget by what was polled, and enqueue what must be told."""
    with services.ledger.write() as view:
        states = [sources.source_state(view.connection, source.name) for source in services.sources]
        tell_operators(view, services, states, now_ms)
        for each in polls:
            if each.recorded.set_aside:
                tell_set_aside(view, services, each.source, each.recorded.set_aside, now_ms)
        read = [state.complete_ms for state in states if state.complete_ms is not None]
        if stopped or not read or any(_half_swept(services, state, now_ms) for state in states):
            return CycleReport(polls, evaluated=False)
        before_ms = meta.evaluated_ms(view.connection)
        at_ms = max(now_ms, before_ms or 0)
        found = evaluate_all(view, now_ms=at_ms, before_ms=before_ms, read_ms=min(read))
        close_periods(view, found.through_ms)
        moment = Moment(at_ms, min(read), stale=_stale(states), opening=before_ms is None)
        runs, by_runs = judge_runs(view, services.describer, moment)
        enqueued = tell(view, found.fired, services.receivers, services.describer, moment, runs=runs)
        enqueued += tell_digests(view, services, states, moment)
        meta.set_evaluated(view.connection, at_ms)
        let_go_some(view.connection, at_ms)
    _fold(services, at_ms)
    decisions = Counter(found.decisions) + by_runs
    return CycleReport(
        polls, evaluated=True, fired=len(found.fired) + len(runs), enqueued=enqueued, decisions=decisions
    )


@dataclass(frozen=True, slots=True)
class _Turn:
    """A cycle on its way: when it began, what stops it, who follows it, and the clock that what it reads is seen by."""

    now_ms: int
    stop: Event
    progress: Progress | None
    clock: Callable[[], int]

    def show(self, source: str, count: int, expected: int) -> None:
        """Tell who follows it how far a source was read."""
        if self.progress is not None:
            self.progress(source, count, expected)


def _poll(services: Services, source: RunSource, turn: _Turn) -> Polled:
    """Read one source and record each batch with the place up to which it was read."""
    began = time.monotonic()
    state, request = _begin(services, source.name, turn.now_ms)
    recorded, tokens, storage, error = Recorded(), TokensRead(), StorageRead(), ""

    def alive() -> None:
        turn.show(source.name, recorded.seen, recorded.seen)

    try:
        for batch in _batches(source, request):
            recorded += _record(services, state, batch, request.now_ms, turn.clock())
            turn.show(source.name, recorded.seen, batch.expected)
            if turn.stop.is_set():
                error = "stopped"
                break
        else:
            tokens = read_tokens(services, source, state, request, turn.stop, alive=alive)
            storage = read_storage(services, source, state, request, turn.stop, alive=alive)
    except SourceError as failure:
        error = str(failure)
    with services.ledger.write() as view:
        if not error:
            refreshed = services.recorder.refresh(view.connection, state, now_ms=request.now_ms)
            recorded = replace(recorded, set_aside=recorded.set_aside + refreshed.set_aside)
            sources.mark_complete(view.connection, state.id, request.now_ms)
        elif not turn.stop.is_set():
            sources.mark_failing(view.connection, state.id, request.now_ms, error)
        running = len(ledger.open_runs(view.connection, state.id))
    return Polled(source.name, recorded, tokens, storage, running, time.monotonic() - began, error)


def _batches(source: RunSource, request: PollRequest) -> Iterator[Batch]:
    """Yield what a source tells; whatever goes wrong in it is its own failure, so that the others are still read."""
    try:
        yield from source.poll(request)
    except SourceError:
        raise
    except Exception as error:
        log.exception("poll broke off source=%s", source.name)
        raise SourceError(
            f"source {source.name}: its answer is not understood ({type(error).__name__}). "
            "Check that tracking_uri is an MLflow 3 server; if it is, please report the logged traceback as a bug."
        ) from error


def _begin(services: Services, name: str, now_ms: int) -> tuple[SourceState, PollRequest]:
    with services.ledger.write() as view:
        state = sources.source_state(view.connection, name)
        # An earlier clock than the last poll's never un-settles: metering goes on from there.
        at_ms = max(now_ms, state.complete_ms or 0)
        opened = ledger.open_runs(view.connection, state.id)
    return state, PollRequest(state.cursor, opened, _horizon_ms(services, at_ms), at_ms)


def _record(services: Services, state: SourceState, batch: Batch, now_ms: int, seen_ms: int) -> Recorded:
    if not state.cursor:  # read for the first time
        with suppress(NotNewError):
            return _write(services, state, batch, now_ms, seen_ms, new=True)
    return _write(services, state, batch, now_ms, seen_ms)


def _write(
    services: Services, state: SourceState, batch: Batch, now_ms: int, seen_ms: int, *, new: bool = False
) -> Recorded:
    with services.ledger.write() as view:
        recorded = services.recorder.record(view.connection, state, batch, now_ms=now_ms, seen_ms=seen_ms, new=new)
        note_runs(services, view.connection, state, recorded.changed, now_ms)
        follow_runs(services, view.connection, state, recorded.changed, now_ms)
    return replace(recorded, changed=())  # a first sync would gather the ids of all runs there are


def _horizon_ms(services: Services, now_ms: int) -> int:
    """Return the start of the earliest open period."""
    starts = [
        bounds_ms(period, budget.timezone)[0]
        for budget in services.config.budgets
        if (period := period_at(budget.period, budget.timezone, now_ms)) is not None
    ]
    return min(starts, default=now_ms)


def _fold(services: Services, now_ms: int) -> None:
    """Fold what is older than the configuration keeps, once the period that it is of is over."""
    keep_s = services.config.ledger.keep_s
    if keep_s is not None:
        before_ms = min(now_ms - round(keep_s * 1000), _horizon_ms(services, now_ms))
        with services.ledger.write() as view:
            fold_some(view, before_ms=before_ms, now_ms=now_ms)


def _half_swept(services: Services, state: SourceState, now_ms: int) -> bool:
    """Whether a source's first sweep broke off part-way: what it has told so far would fire bit by bit.

    It holds the others' evaluation back no longer than `source_down_after`.
    """
    if state.swept or not state.cursor or state.failing_since_ms is None:
        return False
    return now_ms - state.failing_since_ms < services.config.poll.source_down_after_s * 1000


def _stale(states: Sequence[SourceState]) -> bool:
    return any(state.failing_since_ms is not None or state.complete_ms is None for state in states)
