"""The run source: which experiments to read, and which kind of poll is due."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date
from typing import Final
from urllib.parse import quote

from alerter.core.budgets import matches
from alerter.core.ports import Batch, Finding, PollRequest
from alerter.core.storage import Artifacts, ModelBatch
from alerter.core.traces import TraceBatch, TraceRequest
from alerter.sources._history import begin_ms, since
from alerter.sources.mlflow_rest.artifacts import ArtifactReader
from alerter.sources.mlflow_rest.cursor import parse
from alerter.sources.mlflow_rest.decoding import Decoder
from alerter.sources.mlflow_rest.errors import ReadError, without_credentials
from alerter.sources.mlflow_rest.health import findings
from alerter.sources.mlflow_rest.http import HttpTracking
from alerter.sources.mlflow_rest.local import SCHEME, LocalTracking
from alerter.sources.mlflow_rest.refresh import Pace, Refresh
from alerter.sources.mlflow_rest.share import PacedTracking, Share
from alerter.sources.mlflow_rest.sweep import sweep
from alerter.sources.mlflow_rest.traces import TraceReader
from alerter.sources.mlflow_rest.tracking import ArtifactTracking, Patience, Row, Tracking
from alerter.sources.mlflow_rest.walk import Runs, all_experiments

log = logging.getLogger(__name__)

WEB: Final = ("http://", "https://")


class MlflowRestSource:
    """An MLflow 3 tracking server, or a local ``sqlite:///`` store, read only.

    Args:
        name: the source's name; the built-in tag ``source``.
        tracking_uri: ``http(s)://`` or ``sqlite:///``; MLflow's own variables give user, password, token and TLS.
        ui_url: where people open MLflow, for links; ``""`` uses an ``http(s)`` tracking URI.
        include, exclude: globs on experiment names; no include is all.
        history_from: runs that ended before this UTC day are left out.
        usage_keys: params and tags to keep in `RunObservation.usage`; a param goes before a tag of the same key.
        cost_keys: metrics (``metric.NAME``) and tags (``tag.NAME``) to keep in `RunObservation.costs`.
        tag_keys: tags that are kept of a run however many it has; of others only so many.
        page_size: runs of one window.
        concurrency: windows that a first sync asks for at once; at least 1.
        timeout_s: seconds that one call may wait for the server.
        back_off_s: seconds before a second attempt, twice that before a third.
        poll_every_s, overlap_s, resweep_s: see `alerter.sources.mlflow_rest`.
        share: of elapsed time that reading runs again, traces and artifacts may take; above 0, at most 1.
        stop: set when the process ends; no call is begun or repeated after it.

    Raises:
        SourceError: by `poll`, for a tracking URI of another kind too.
    """

    def __init__(
        self,
        *,
        name: str,
        tracking_uri: str,
        ui_url: str = "",
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        history_from: date | None = None,
        usage_keys: frozenset[str] = frozenset(),
        cost_keys: frozenset[str] = frozenset(),
        tag_keys: frozenset[str] = frozenset(),
        page_size: int = 1000,
        concurrency: int = 1,
        timeout_s: float = 20.0,
        back_off_s: float = 0.5,
        poll_every_s: float = 60.0,
        overlap_s: float = 900.0,
        resweep_s: float = 21600.0,
        share: float = 0.25,
        stop: threading.Event | None = None,
    ) -> None:
        self.name = name
        self._uri = tracking_uri
        self._ui_url = _web_address(ui_url or tracking_uri)
        self._include, self._exclude = tuple(include), tuple(exclude)
        self._page_size, self._concurrency = page_size, concurrency
        self._patience = Patience(timeout_s, back_off_s, stop or threading.Event())
        self._pace = Pace(poll_every_s, overlap_s, resweep_s)
        self._workspace = os.environ.get("MLFLOW_WORKSPACE") or "default"
        self._history_ms = begin_ms(history_from)
        self._settings = _fingerprint(
            *(tracking_uri, self._workspace, sorted(include), sorted(exclude), sorted(usage_keys), sorted(cost_keys)),
            *([] if history_from is None else [history_from.isoformat()]),
        )
        keys = {"usage_keys": usage_keys, "cost_keys": cost_keys, "tag_keys": tag_keys}
        self._decoder = Decoder(source=name, workspace=self._workspace, **keys)
        self._share = Share(share, self._patience.stop)
        self._known: Sequence[str] | None = None
        self._tracking: ArtifactTracking | None = None

    def poll(self, request: PollRequest) -> Iterator[Batch]:
        """See `alerter.core.ports.RunSource.poll`."""
        cursor = parse(request.cursor, self._settings)
        tracking = self._opened()
        experiments = self._experiments(tracking)
        runs = Runs(tracking, experiments, page_size=self._page_size)
        if cursor.sweep is not None:
            batches = sweep(runs, self._decoder, cursor, request, self._history_ms, requests=self._concurrency)
        else:
            again = Runs(self._paced(), experiments, page_size=self._page_size)
            refresh = Refresh(runs, self._decoder, cursor, request, self._pace, again=again, batch_size=self._page_size)
            batches = refresh.batches()
        yield from since(batches, self._history_ms, request)

    def traces(self, request: TraceRequest) -> Iterator[TraceBatch]:
        """See `alerter.core.traces.TraceSource.traces`."""
        experiments = list(self._experiments(self._opened()))
        yield from TraceReader(self._paced(), self._decoder, experiments, request).batches()

    def artifact_bytes(self, artifacts: Artifacts) -> int | None:
        """See `alerter.core.storage.ArtifactSource.artifact_bytes`."""
        return self._artifacts().size(artifacts)

    def models(self, since_ms: int, limit: int) -> Iterator[ModelBatch]:
        """See `alerter.core.storage.ArtifactSource.models`."""
        yield from self._artifacts().models(since_ms, limit)

    def still_there(self, artifacts: Collection[Artifacts]) -> frozenset[Artifacts]:
        """See `alerter.core.storage.ArtifactSource.still_there`."""
        return self._artifacts().still_there(artifacts)

    def run_url(self, experiment_id: str, run_uuid: str) -> str:
        """Return the run's page in MLflow's UI, ``""`` for a local store without a ``ui_url``.

        Without a run it is the experiment's.
        """
        if not self._ui_url:
            return ""
        if not run_uuid:
            return f"{self._ui_url}/#/experiments/{quote(experiment_id, safe='')}"
        return f"{self._ui_url}/#/experiments/{quote(experiment_id, safe='')}/runs/{quote(run_uuid, safe='')}"

    def check(self) -> list[Finding]:
        """See `alerter.core.ports.RunSource.check`."""
        subject = f"source {self.name}"
        try:
            tracking = self._opened()
        except ReadError as error:
            return [Finding("error", subject, error.cause, error.remedy)]
        address = without_credentials(self._uri)
        found = findings(tracking, subject=subject, address=address, workspace=self._workspace, chosen=self._chosen)
        return list(found)

    def _experiments(self, tracking: Tracking) -> dict[str, Row]:
        """Return the experiments that are read, by id, as they are now."""
        return self._choose(all_experiments(tracking))

    def _choose(self, rows: Iterable[Row]) -> dict[str, Row]:
        """Return those of some experiments that are read, by id; what is decoded from now on is theirs."""
        experiments = {str(row["experiment_id"]): row for row in rows if self._chosen(str(row.get("name") or ""))}
        self._decoder.use(experiments)
        self._known = list(experiments)
        return experiments

    def _artifacts(self) -> ArtifactReader:
        """Return a reader of the experiments that the last poll saw."""
        known = list(self._experiments(self._opened())) if self._known is None else self._known
        return ArtifactReader(self.name, self._paced(), self._decoder, known)

    def _paced(self) -> PacedTracking:
        return PacedTracking(self._opened(), self._share)

    def _chosen(self, experiment: str) -> bool:
        included = not self._include or any(matches(pattern, experiment) for pattern in self._include)
        return included and not any(matches(pattern, experiment) for pattern in self._exclude)

    def _opened(self) -> ArtifactTracking:
        if self._tracking is None:
            if self._uri.startswith(WEB):
                self._tracking = HttpTracking(self.name, self._uri, self._patience)
            elif self._uri.startswith(SCHEME):
                self._tracking = LocalTracking(self.name, self._uri, self._patience)
            else:
                cause = f"tracking_uri {without_credentials(self._uri)} is of no kind that can be read."
                raise ReadError(self.name, cause, "Give http://, https:// or sqlite:///.")
        return self._tracking


def _web_address(uri: str) -> str:
    return without_credentials(uri).rstrip("/") if uri.startswith(WEB) else ""


def _fingerprint(*settings: object) -> str:
    return hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:16]
