"""The run source: an MLflow server whose database is read in its stead."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from alerter.core.ports import Batch, Finding, PollRequest
from alerter.core.storage import Artifacts, ModelBatch
from alerter.core.traces import TraceBatch, TraceRequest
from alerter.sources._history import since
from alerter.sources.mlflow_database.connection import Database, Reading
from alerter.sources.mlflow_database.cursor import is_mine, parse
from alerter.sources.mlflow_database.dialects import tables_of
from alerter.sources.mlflow_database.experiments import experiments_of
from alerter.sources.mlflow_database.health import findings
from alerter.sources.mlflow_database.models import DatabaseModels
from alerter.sources.mlflow_database.poll import Poll, Turn
from alerter.sources.mlflow_database.revisions import WITH_TRACE_COLUMNS, why_unknown
from alerter.sources.mlflow_database.runs import Runs
from alerter.sources.mlflow_database.tables import BATCH
from alerter.sources.mlflow_database.traces import DatabaseTraces
from alerter.sources.mlflow_rest.artifacts import model_batches
from alerter.sources.mlflow_rest.cursor import Cursor as RestCursor
from alerter.sources.mlflow_rest.errors import ReadError
from alerter.sources.mlflow_rest.source import MlflowRestSource
from alerter.sources.mlflow_rest.traces import TraceReader
from alerter.sources.mlflow_rest.tracking import Row

log = logging.getLogger(__name__)


class MlflowDatabaseSource(MlflowRestSource):
    """An MLflow 3 server's own database, read only; see `alerter.sources.mlflow_database`.

    Args:
        backend_store: SQLAlchemy's URL of it, SQLite or PostgreSQL by psycopg.
        batch: runs of one statement.
        settings: as for `MlflowRestSource`; ``tracking_uri`` gives links, artifacts, and what to fall back on.

    Raises:
        SourceError: by `poll` and `traces`.
    """

    def __init__(self, *, backend_store: str, batch: int = BATCH, **settings: Any) -> None:  # noqa: ANN401 - as they are there
        super().__init__(**settings)
        timeout_s = settings.get("timeout_s", 20.0)
        self._database = Database(self.name, backend_store, timeout_s)
        self._turn = Turn(settings.get("poll_every_s", 60.0), settings.get("resweep_s", 21600.0))
        self._batch = batch
        self._told = ""
        self._models_told = (0, "")

    def poll(self, request: PollRequest) -> Iterator[Batch]:
        """See `alerter.core.ports.RunSource.poll`."""
        with self._database.reading() as reading:
            if self._knows(_revision(reading)):
                runs = Runs(tables_of(reading), self._decoder, self._choose(experiments_of(reading, self._workspace)))
                cursor = parse(request.cursor, self._settings)
                poll = Poll(runs, cursor, request, self._turn, batch=self._batch)
                yield from since(poll.batches(), self._history_ms, request)
                return
        yield from super().poll(replace(request, cursor=self._over_rest(request.cursor)))

    def traces(self, request: TraceRequest) -> Iterator[TraceBatch]:
        """See `alerter.core.traces.TraceSource.traces`."""
        with self._database.reading() as reading:
            revision = _revision(reading)
            if self._knows(revision):
                chosen = list(self._choose(experiments_of(reading, self._workspace)))
                has_columns = revision in WITH_TRACE_COLUMNS
                traces = DatabaseTraces(reading, has_columns=has_columns, elsewhere=self._spans_elsewhere)
                yield from TraceReader(traces, self._decoder, chosen, request).batches()
                return
        yield from super().traces(request)

    def models(self, since_ms: int, limit: int) -> Iterator[ModelBatch]:
        """See `alerter.core.storage.ArtifactSource.models`."""
        with self._database.reading() as reading:
            if self._knows(_revision(reading)):
                yield from self._changed_models(self._models(reading), since_ms, limit)
                return
        yield from super().models(since_ms, limit)

    def still_there(self, artifacts: Collection[Artifacts]) -> frozenset[Artifacts]:
        """See `alerter.core.storage.ArtifactSource.still_there`."""
        with self._database.reading() as reading:
            if self._knows(_revision(reading)):
                return self._models(reading).still_there(artifacts)
        return super().still_there(artifacts)

    def check(self) -> list[Finding]:
        """See `alerter.core.ports.RunSource.check`."""
        subject = f"source {self.name}"
        try:
            with self._database.reading() as reading:
                revision = _revision(reading)
                why, remedy = why_unknown(revision)
                if not why:
                    experiments = experiments_of(reading, self._workspace)
                    return list(
                        findings(
                            reading,
                            subject=subject,
                            shown=self._database.shown,
                            revision=revision,
                            workspace=self._workspace,
                            known=experiments,
                            chosen=len(self._choose(experiments)),
                        )
                    )
        except ReadError as error:
            return [Finding("error", subject, error.cause, error.remedy)]
        text = f"backend_store {self._database.shown} is not read, {why}: REST is tried instead."
        return [Finding("warning", subject, text, remedy), *super().check()]

    def _changed_models(self, models: DatabaseModels, since_ms: int, limit: int) -> Iterator[ModelBatch]:
        """Yield them; none where nothing was written since all from that instant on were told."""
        written, behind = models.written(), False
        told_ms, before = self._models_told
        if written and written == before and told_ms <= since_ms:
            yield ModelBatch(())
            return
        for batch in model_batches(partial(models.changed, since_ms), self._decoder, since_ms, limit):
            yield batch
            behind = batch.behind
        if not behind:
            self._models_told = since_ms, written

    def _models(self, reading: Reading) -> DatabaseModels:
        """Return the LoggedModels of the experiments that are read now."""
        return DatabaseModels(reading, self._choose(experiments_of(reading, self._workspace)))

    def _knows(self, revision: str) -> bool:
        """Whether the schema is known; says once for each that isn't."""
        why, remedy = why_unknown(revision)
        if why and revision != self._told:
            log.warning("backend_store is not read, but REST source=%s why=%r remedy=%r", self.name, why, remedy)
        self._told = revision if why else ""
        return not why

    def _over_rest(self, cursor: str) -> str:
        """Return a cursor to read over REST by: one that a database was read by says only whether all was seen once."""
        mine = parse(cursor, self._settings)
        return RestCursor(self._settings, swept=mine.swept).text() if is_mine(cursor) else cursor

    def _spans_elsewhere(self, trace_ids: Sequence[str]) -> Sequence[Row]:
        return self._paced().trace_spans(trace_ids)


def _revision(reading: Reading) -> str:
    rows = reading.rows("SELECT version_num FROM alembic_version")
    return str(rows[0][0]) if rows else ""
