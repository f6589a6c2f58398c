"""MLflow's store behind a ``sqlite:///`` tracking URI, read through MLflow's own client (the extra ``local``)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from alerter.sources.mlflow_rest.errors import MissingError, ReadError, TransientError, without_credentials
from alerter.sources.mlflow_rest.schema import why_another
from alerter.sources.mlflow_rest.tracking import Page, Patience, Query, Row, once, persistently

if TYPE_CHECKING:  # importing MLflow takes a second and a half; see `LocalTracking._open`
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, LoggedModel, Run, Trace, TraceInfo

INSTALL = 'Install it: pip install "mlflow-alerter[local]".'
SCHEME = "sqlite:///"

T = TypeVar("T")


def has_full_mlflow() -> bool:
    """Whether full MLflow is installed, not only its slim client (which has no stores)."""
    try:
        metadata.distribution("mlflow")
    except metadata.PackageNotFoundError:
        return False
    return True


class LocalTracking:
    """An SQLite file that MLflow writes.

    Args:
        source: the source's name, for errors.
        uri: ``sqlite:///relative/path`` or ``sqlite:////absolute/path``.
        patience: how long to wait before another attempt.
        full_mlflow: tells whether MLflow's stores are installed.
    """

    def __init__(
        self, source: str, uri: str, patience: Patience, *, full_mlflow: Callable[[], bool] = has_full_mlflow
    ) -> None:
        self._source = source
        self._uri = uri
        self._shown = without_credentials(uri)
        self._patience = patience
        self._full_mlflow = full_mlflow
        self._client: MlflowClient | None = None

    def experiments(self, limit: int, token: str) -> Page:
        """See `Tracking`."""

        def read(client: MlflowClient) -> Page:
            from mlflow.entities import ViewType  # noqa: PLC0415

            found = client.search_experiments(view_type=ViewType.ALL, max_results=limit, page_token=token or None)
            return Page([_experiment(each) for each in found], found.token or "")

        return self._ask(read)

    def runs(self, experiment_ids: Sequence[str], query: Query) -> Page:
        """See `Tracking`."""

        def read(client: MlflowClient) -> Page:
            from mlflow.entities import ViewType  # noqa: PLC0415

            view = ViewType.ALL if query.deleted else ViewType.ACTIVE_ONLY
            found = client.search_runs(
                list(experiment_ids), query.where, view, query.limit, [query.order_by], query.token or None
            )
            return Page([_run(each) for each in found], found.token or "")

        return self._ask(read)

    def traces(self, experiment_ids: Sequence[str], query: Query) -> Page:
        """See `Tracking`."""

        def read(client: MlflowClient) -> Page:
            found = client.search_traces(
                locations=list(experiment_ids),
                filter_string=query.where,
                max_results=query.limit,
                order_by=[query.order_by],
                page_token=query.token or None,
                include_spans=False,
            )
            return Page([_written(each.info) for each in found], found.token or "")

        return self._ask(read)

    def trace_spans(self, trace_ids: Sequence[str]) -> list[Row]:
        """See `Tracking`."""
        from mlflow.exceptions import MlflowException  # noqa: PLC0415

        def read(client: MlflowClient) -> list[Row]:
            found = []
            for each in trace_ids:
                try:
                    found.append(_written(client.get_trace(each)))
                except MlflowException as error:
                    if error.error_code == "TEMPORARILY_UNAVAILABLE":
                        raise  # the database; else its spans are gone, or in a file that only a server gets at
            return found

        return self._ask(read)

    def artifacts(self, run_id: str, model_id: str, path: str, token: str) -> Page:  # noqa: ARG002 - it has no pages
        """See `ArtifactTracking`."""
        try:
            return once(self._source, self._patience, lambda: self._attempt(partial(_listed, run_id, model_id, path)))
        except ReadError:
            raise
        except Exception as error:
            # Whatever a store's own library raises: no credentials, no such bucket, not installed.
            text = f"its artifact store could not be read ({type(error).__name__})."
            raise ReadError(self._source, text, "", status=500) from error

    def models(self, experiment_ids: Sequence[str], query: Query) -> Page:
        """See `ArtifactTracking`."""
        key, _, direction = query.order_by.partition(" ")

        def read(client: MlflowClient) -> Page:
            found = client.search_logged_models(
                experiment_ids=list(experiment_ids),
                filter_string=query.where,
                max_results=query.limit,
                order_by=[{"field_name": key, "ascending": direction == "ASC"}],
                page_token=query.token or None,
            )
            return Page([_model(each) for each in found], found.token or "")

        return self._ask(read)

    def version(self) -> str:
        """See `Tracking`: what reads the file is this very MLflow."""
        return metadata.version("mlflow")

    def user(self) -> tuple[str, bool] | None:
        """See `Tracking`: a file has no accounts."""
        return None

    def has_workspaces(self) -> bool:
        """See `Tracking`."""
        return False

    def _ask(self, read: Callable[[MlflowClient], T]) -> T:
        return persistently(self._source, self._patience, lambda: self._attempt(read))

    def _attempt(self, read: Callable[[MlflowClient], T]) -> T:
        client = self._client or self._open()
        from mlflow.exceptions import MlflowException  # noqa: PLC0415
        from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

        try:
            return read(client)
        except (MlflowException, SQLAlchemyError) as error:
            raise self._failure(error) from error

    def _open(self) -> MlflowClient:
        if not self._full_mlflow():
            raise ReadError(self._source, "a sqlite:/// tracking URI needs full MLflow.", INSTALL)
        path = Path(self._uri.removeprefix(SCHEME).split("?", maxsplit=1)[0])
        if not path.is_file():  # MLflow would create it, and a typing error would look like an empty server
            raise ReadError(self._source, f"there is no file {path}.", "Check tracking_uri, or let MLflow create it.")
        from mlflow import MlflowClient  # noqa: PLC0415
        from mlflow.exceptions import MlflowException  # noqa: PLC0415
        from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

        try:
            why, remedy = why_another(path, self._shown, self._patience.timeout_s)
            if why:
                raise ReadError(self._source, why, remedy)
            self._client = MlflowClient(tracking_uri=self._uri)
        except (MlflowException, SQLAlchemyError, sqlite3.Error) as error:
            raise self._failure(error) from error
        return self._client

    def _failure(self, error: Exception) -> ReadError:
        said = " ".join(str(error).split())
        if getattr(error, "error_code", "") == "RESOURCE_DOES_NOT_EXIST":
            return MissingError(self._source, f"{self._shown} no longer has it.", "", status=404)
        if "locked" in said:
            return TransientError(self._source, f"{self._shown} is locked by another process.", "It is tried again.")
        text = f"{self._shown} could not be read ({type(error).__name__}: {said[:200]})."
        return ReadError(self._source, text, "Check that it is MLflow's database and may be read.", status=500)


def _experiment(experiment: Experiment) -> Row:
    return {
        "experiment_id": experiment.experiment_id,
        "name": experiment.name,
        "tags": [{"key": key, "value": value} for key, value in experiment.tags.items()],
        "workspace": getattr(experiment, "workspace", None),
    }


def _run(run: Run) -> Row:
    info = run.info
    return {
        "info": {
            "run_id": info.run_id,
            "experiment_id": info.experiment_id,
            "run_name": info.run_name,
            "user_id": info.user_id,
            "status": info.status,
            "start_time": info.start_time,
            "end_time": info.end_time,
            "lifecycle_stage": info.lifecycle_stage,
        },
        "data": {
            "tags": _pairs(run.data.tags),
            "params": _pairs(run.data.params),
            # Its public view, `metrics`, has no timestamps.
            "metrics": [
                {"key": metric.key, "value": metric.value, "timestamp": metric.timestamp}
                for metric in run.data._metric_objs  # noqa: SLF001
            ],
        },
    }


def _listed(run_id: str, model_id: str, path: str, client: MlflowClient) -> Page:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository  # noqa: PLC0415

    # Not the client's own listing of a run, which adds the files of its LoggedModels.
    uri = client.get_logged_model(model_id).artifact_location if model_id else client.get_run(run_id).info.artifact_uri
    found = get_artifact_repository(uri, tracking_uri=client.tracking_uri).list_artifacts(path or None)
    return Page([{"path": each.path, "is_dir": each.is_dir, "file_size": each.file_size} for each in found], "")


def _model(model: LoggedModel) -> Row:
    return {
        "info": {
            "model_id": model.model_id,
            "experiment_id": model.experiment_id,
            "source_run_id": model.source_run_id,
            "last_updated_timestamp_ms": model.last_updated_timestamp,
            "status": f"LOGGED_MODEL_{model.status}",
            "tags": _pairs(model.tags),
        }
    }


def _written(thing: TraceInfo | Trace) -> Row:
    """Return a trace as MLflow's server writes it in JSON."""
    from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped] # noqa: PLC0415

    row: Row = MessageToDict(thing.to_proto(), preserving_proto_field_name=True)
    return row


def _pairs(values: dict[str, str]) -> list[dict[str, Any]]:
    return [{"key": key, "value": value} for key, value in values.items()]
