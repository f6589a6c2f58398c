"""Read a source's traces once and charge their tokens."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from threading import Event

from sqlalchemy import Connection

from alerter.core.ports import PollRequest, RunSource
from alerter.core.traces import TraceRequest, TraceSource
from alerter.services import Services
from alerter.store.sources import SourceState
from alerter.store.traces import counted, trace_cursor
from alerter.tokens import TokensRead

log = logging.getLogger(__name__)


def read_tokens(
    services: Services,
    source: RunSource,
    state: SourceState,
    request: PollRequest,
    stop: Event,
    *,
    alive: Callable[[], None] = lambda: None,
) -> TokensRead:
    """Charge what a source's traces used since they were last read; nothing where no trace is to be read.

    Each batch is recorded together with how far it was read, so that a process that is killed doubles nothing. A source
    is first read from the start of the earliest open period on. ``alive`` is called after every batch.

    Raises:
        SourceError: the server can't be read; the batches so far stand.
    """
    recorder, read = services.tokens, TokensRead()
    if recorder is None or not isinstance(source, TraceSource):
        return read

    def known(trace_ids: Collection[str]) -> Collection[str]:
        with services.ledger.read() as view:
            return counted(view.connection, state.id, trace_ids)

    with services.ledger.read() as view:
        cursor = trace_cursor(view.connection, state.id)
    limit = services.config.tokens.traces_per_poll
    for batch in source.traces(TraceRequest(cursor, request.horizon_ms, request.now_ms, limit, known)):
        with services.ledger.write() as view:
            read += recorder.record(view.connection, state, batch, request.now_ms)
        alive()
        if stop.is_set():
            break
    _compare(source.name, read)
    return read


def follow_runs(
    services: Services, connection: Connection, state: SourceState, run_ids: Sequence[int], now_ms: int
) -> None:
    """Let the tokens of runs that a poll wrote follow their tags, in its transaction."""
    if run_ids and services.tokens is not None:
        services.tokens.follow(connection, state, run_ids, now_ms)


def _compare(source: str, read: TokensRead) -> None:
    if read.cost_differs or read.count_differs:
        log.warning(
            "what MLflow logged of traces is more than 5 %% beside what was counted source=%s cost=%d tokens=%d of=%d",
            source,
            read.cost_differs,
            read.count_differs,
            read.counted,
        )
