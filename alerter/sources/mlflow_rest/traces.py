"""Reading traces: those since the last poll, then a slice of the last day again, for what was logged late.

A trace is found by when it began, but logged when it ends, or minutes after. Traces that are already counted cost one
look-up; the spans of the others are fetched, since only they tell which model was used.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from alerter.core.traces import TraceBatch, TraceRequest, TraceUse
from alerter.core.usage import Tokens
from alerter.sources.mlflow_rest.cursor import Position
from alerter.sources.mlflow_rest.decoding import Decoder
from alerter.sources.mlflow_rest.observing import MAX_KEY, plain
from alerter.sources.mlflow_rest.spans import tokens_of, whole
from alerter.sources.mlflow_rest.tracking import Page, Row, TraceQuery, Traces

log = logging.getLogger(__name__)

PAGE: Final = 500  # MLflow's maximum
SPANS_AT_ONCE: Final = 20
TURN_PAGES: Final = 2
LATE_MS: Final = 24 * 3_600_000
SPANS_WAIT_MS: Final = 30 * 60_000
"""How long after it began a trace waits for its spans: MLflow's client sends them apart from it, in any order."""

VERSION: Final = 1
USAGE: Final = "mlflow.trace.tokenUsage"
COST: Final = "mlflow.trace.cost"
SIZE: Final = "mlflow.trace.sizeStats"
RUN: Final = "mlflow.sourceRun"
USER: Final = "mlflow.user"
UNFINISHED: Final = frozenset({"IN_PROGRESS", "STATE_UNSPECIFIED"})


@dataclass(frozen=True, slots=True)
class TraceCursor:
    """The state between polls: traces before ``high`` were read once; ``turn`` is where reading them again goes on."""

    start_ms: int
    high: Position
    turn: Position = field(default=Position(0))

    def text(self) -> str:
        """Return it as text for a batch."""
        return json.dumps({"v": VERSION, **asdict(self)}, separators=(",", ":"))


def parse(text: str, since_ms: int) -> TraceCursor:
    """Return the cursor that `TraceCursor.text` wrote; for anything else one that begins at ``since_ms``."""
    if text:
        try:
            raw = json.loads(text)
            if raw["v"] == VERSION:
                return TraceCursor(int(raw["start_ms"]), Position(**raw["high"]), Position(**raw["turn"]))
        except (ValueError, TypeError, KeyError):
            pass
        log.warning("cursor of traces is unreadable, reading them again from the open periods on")
    return TraceCursor(since_ms, Position(since_ms))


class TraceReader:
    """The traces of the chosen experiments, through a `Traces`."""

    def __init__(self, tracking: Traces, decoder: Decoder, experiment_ids: Sequence[str], req: TraceRequest) -> None:
        self._tracking = tracking
        self._decoder = decoder
        self._experiment_ids = experiment_ids
        self._request = req

    def batches(self) -> Iterator[TraceBatch]:
        """Yield what `TraceSource.traces` promises."""
        cursor = parse(self._request.cursor, self._request.since_ms)
        if not self._experiment_ids:
            return
        read = 0
        while True:
            page, following = self._page(cursor.high, self._request.now_ms)
            read += len(page.rows)
            cursor = replace(cursor, high=following)
            yield self._batch(page, cursor, behind=bool(page.token))
            if not page.token:
                break
            if read >= self._request.limit:
                log.info("more traces than one poll reads, the next one goes on read=%d", read)
                return
        yield from self._turn(cursor)

    def _turn(self, cursor: TraceCursor) -> Iterator[TraceBatch]:
        last = cursor.high.at_ms or 0
        first = max(cursor.start_ms, last - LATE_MS)
        for _ in range(TURN_PAGES):
            at = cursor.turn if (cursor.turn.at_ms or 0) > first else Position(first)
            page, following = self._page(at, last)
            cursor = replace(cursor, turn=following if page.token else Position(0))
            yield self._batch(page, cursor)
            if not page.token:
                return

    def _page(self, at: Position, until_ms: int) -> tuple[Page, Position]:
        from_ms = at.at_ms or 0
        query = TraceQuery.between(from_ms, max(until_ms, from_ms), PAGE, at.token)
        page = self._tracking.traces(self._experiment_ids, query)
        last = began_ms(page.rows[-1]) if page.rows else at.at_ms
        if not page.token:
            return page, Position(last)
        # An offset only gets past ties that fill a page.
        return page, Position(last, page.token if last == at.at_ms else "")

    def _batch(self, page: Page, cursor: TraceCursor, *, behind: bool = False) -> TraceBatch:
        ended = {str(row.get("trace_id")): row for row in page.rows if _counts(row)}
        counted = [ended.pop(known) for known in self._request.counted(list(ended)) if known in ended]
        spans = self._spans(list(ended))
        here = {key: row for key, row in ended.items() if not self._waits(row, spans.get(key, ()))}
        uses = [use for key, row in here.items() if (use := self._use(row, spans.get(key, ()))) is not None]
        again = [use for row in counted if (use := self._use(row, ())) is not None]
        return TraceBatch(uses, cursor.text(), (cursor.high.at_ms or 0) - LATE_MS, behind, again)

    def _spans(self, trace_ids: Sequence[str]) -> dict[str, Sequence[Row]]:
        found: dict[str, Sequence[Row]] = {}
        for first in range(0, len(trace_ids), SPANS_AT_ONCE):
            for trace in self._tracking.trace_spans(trace_ids[first : first + SPANS_AT_ONCE]):
                found[str((trace.get("trace_info") or {}).get("trace_id"))] = trace.get("spans") or ()
        return found

    def _waits(self, row: Row, spans: Sequence[Row]) -> bool:
        """Whether some spans are still on their way: the trace is read again in turn."""
        try:
            expected = int(_json(row["trace_metadata"].get(SIZE)).get("num_spans") or 0)
            return len(spans) < expected and began_ms(row) > self._request.now_ms - SPANS_WAIT_MS
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            return False  # what is written unreadably is told of where it is read

    def _use(self, row: Row, spans: Sequence[Row]) -> TraceUse | None:
        try:
            return self._decoded(row, spans)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            log.warning("trace left out: MLflow wrote it unreadably trace=%r error=%r", row.get("trace_id"), error)
            return None

    def _decoded(self, row: Row, spans: Sequence[Row]) -> TraceUse:
        metadata = row.get("trace_metadata") or {}
        at_ms = began_ms(row)
        summary = _json(metadata.get(USAGE))
        used: tuple[Tokens, ...] = tokens_of(spans, at_ms) or (whole(summary, at_ms),)
        total = whole(summary, at_ms).total if not any(each.cached_input_tokens for each in used) else 0
        experiment_id = _experiment(row)
        return TraceUse(
            trace_id=str(row["trace_id"]),
            at_ms=at_ms,
            experiment_id=experiment_id,
            tags=self._decoder.tags_of(experiment_id, str(metadata.get(USER) or "")),
            own=self._decoder.own_tags((row.get("tags") or {}).items()),
            source_run=plain(str(metadata.get(RUN) or ""), MAX_KEY) or None,
            used=tuple(each for each in used if each.total),
            logged_cost=_cost(_json(metadata.get(COST)).get("total_cost")),
            logged_tokens=total or None,
        )


def began_ms(row: Row) -> int:
    """Return when a trace began, in epoch ms."""
    text = row.get("request_time")
    if isinstance(text, int):
        return text
    began = datetime.fromisoformat(str(text))
    whole_seconds = began.replace(microsecond=0, tzinfo=began.tzinfo or UTC)
    return int(whole_seconds.timestamp()) * 1000 + began.microsecond // 1000


def _counts(row: Row) -> bool:
    return row.get("state") not in UNFINISHED and bool((row.get("trace_metadata") or {}).get(USAGE))


def _experiment(row: Row) -> str:
    place = (row.get("trace_location") or {}).get("mlflow_experiment") or {}
    return str(place.get("experiment_id") or row.get("experiment_id") or "")


def _json(text: object) -> Mapping[str, Any]:
    try:
        # The shortest text of a float is what was meant by it: no float is calculated with.
        value = json.loads(text, parse_float=Decimal) if isinstance(text, str) else None
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _cost(value: object) -> Decimal | None:
    try:
        cost = Decimal(str(value)) if value is not None else None
    except InvalidOperation:
        return None
    return cost if cost is not None and cost.is_finite() and cost >= 0 else None
