"""Look what a source's runs and LoggedModels hold, and charge it by the day."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from threading import Event

from sqlalchemy import Connection

from alerter.core.ports import PollRequest, RunSource, SourceError
from alerter.core.storage import ArtifactSource, UnlistableError
from alerter.services import Services
from alerter.storage import StorageRecorder, Walked
from alerter.store.holdings import Holding, due_looks, due_walks, models_cursor, set_models_cursor
from alerter.store.sources import SourceState

log = logging.getLogger(__name__)

AT_ONCE = 20
"""Walks that are recorded together: what a process that is killed does again."""

LOOKS = 500
"""Runs and LoggedModels that are looked for in one poll."""

OVERLAP_MS = 15 * 60_000
"""How far back LoggedModels are read again, for changes that MLflow committed late."""


@dataclass(frozen=True, slots=True)
class StorageRead:
    """What one poll found out of storage: walked runs and LoggedModels, those that can't be listed, those gone."""

    walked: int = 0
    unlistable: int = 0
    gone: int = 0
    error: str = ""

    @property
    def outcomes(self) -> dict[str, int]:
        """The counts by their names."""
        return {"walked": self.walked, "unlistable": self.unlistable, "gone": self.gone}


def note_runs(
    services: Services, connection: Connection, state: SourceState, run_ids: Sequence[int], now_ms: int
) -> None:
    """Note runs that a poll wrote, in its transaction: they may have to be walked, or hold their bytes elsewhere."""
    if run_ids and services.storage is not None and services.storage.wanted:
        services.storage.note(connection, state, run_ids, now_ms)


def read_storage(
    services: Services,
    source: RunSource,
    state: SourceState,
    request: PollRequest,
    stop: Event,
    *,
    alive: Callable[[], None] = lambda: None,
) -> StorageRead:
    """Walk over what is due, at most as much as is configured; nothing where storage is not charged.

    Every few walks are recorded. A server that can't be read now is read at the next poll: it fails no poll.
    ``alive`` is called after every few requests.
    """
    recorder = services.storage
    if recorder is None:
        return StorageRead()
    if recorder.is_due(state, request.now_ms):
        with services.ledger.write() as view:
            recorder.settle(view.connection, state, request.now_ms)
    if not recorder.wanted or not isinstance(source, ArtifactSource):
        return StorageRead()
    reading = _Reading(services, recorder, source, state, request.now_ms)
    try:
        for _ in reading.steps():
            alive()
            if stop.is_set():
                break
    except SourceError as error:
        reading.error = str(error)
        log.warning("artifacts are read on at the next poll source=%s error=%s", source.name, error)
    if reading.unlistable:
        log.warning(
            "artifacts can't be listed: their storage is not counted source=%s runs=%d why=%s",
            source.name,
            reading.unlistable,
            reading.why,
        )
    return StorageRead(reading.walked, reading.unlistable, reading.gone, reading.error)


class _Reading:
    """One poll's look at one source."""

    def __init__(
        self,
        services: Services,
        recorder: StorageRecorder,
        source: ArtifactSource,
        state: SourceState,
        now_ms: int,
    ) -> None:
        self._services = services
        self._recorder = recorder
        self._source = source
        self._state = state
        self._now_ms = now_ms
        self.walked = self.unlistable = self.gone = 0
        self.why = self.error = ""

    def steps(self) -> Iterator[None]:
        """Do one thing after the other; each is recorded when its step ends."""
        with self._services.ledger.read() as view:
            cursor = _Cursor.parse(models_cursor(view.connection, self._state.id))
        if cursor.behind or self._recorder.reads_models(self._state, self._now_ms):
            yield from self._models(cursor)
        yield from self._walks()
        yield from self._looks()

    def _models(self, cursor: _Cursor) -> Iterator[None]:
        since_ms = cursor.high_ms if cursor.behind else cursor.high_ms - OVERLAP_MS
        limit = self._services.config.storage.runs_per_poll
        for batch in self._source.models(max(since_ms, 0), limit):
            high_ms = max([cursor.high_ms, *(each.changed_ms for each in batch.models)])
            before, cursor = cursor, _Cursor(high_ms, behind=batch.behind)
            if batch.models or cursor != before:
                with self._services.ledger.write() as view:
                    self._recorder.note_models(view.connection, self._state, batch.models, self._now_ms)
                    if cursor != before:
                        set_models_cursor(view.connection, self._state.id, cursor.text())
            yield

    def _walks(self) -> Iterator[None]:
        with self._services.ledger.read() as view:
            limit = self._services.config.storage.runs_per_poll
            due = iter(due_walks(view.connection, self._state.id, self._now_ms, limit))
        while some := list(islice(due, AT_ONCE)):
            found, error = self._walk(some)
            with self._services.ledger.write() as view:
                self._recorder.walked(view.connection, self._state, found, self._now_ms)
            if error is not None:
                raise error
            yield

    def _walk(self, some: Sequence[Holding]) -> tuple[list[Walked], SourceError | None]:
        """Return what walks found, up to one that the server broke off."""
        found: list[Walked] = []
        for holding in some:
            try:
                size = self._source.artifact_bytes(holding.artifacts)
                found.append(Walked(holding, size or 0))  # one that is gone holds nothing; it is looked for later
                self.walked += 1
            except UnlistableError as error:
                found.append(Walked(holding, None))
                self.unlistable += 1
                self.why = str(error)
            except SourceError as error:
                return found, error
        return found, None

    def _looks(self) -> Iterator[None]:
        with self._services.ledger.read() as view:
            due = due_looks(view.connection, self._state.id, self._now_ms, LOOKS)
        if not due:
            return
        there = self._source.still_there([each.artifacts for each in due])
        with self._services.ledger.write() as view:
            self._recorder.looked(view.connection, self._state, due, there, self._now_ms)
        self.gone += len(due) - len(there)
        yield


@dataclass(frozen=True, slots=True)
class _Cursor:
    """How far LoggedModels were read: those that changed before ``high_ms`` were; ``behind`` if newer ones were not."""

    high_ms: int = 0
    behind: bool = False

    def text(self) -> str:
        return json.dumps([self.high_ms, self.behind])

    @classmethod
    def parse(cls, text: str) -> _Cursor:
        if not text:
            return cls()
        high_ms, behind = json.loads(text)
        return cls(int(high_ms), behind=bool(behind))
