"""MLflow over HTTP, with its client's authentication, TLS and headers, but JSON for protobuf: a ninth of the CPU."""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from alerter.sources.mlflow_rest.bad_day import OVERLOADED, BadDay, WrongAnswerError
from alerter.sources.mlflow_rest.errors import MissingError, ReadError
from alerter.sources.mlflow_rest.spans import from_json
from alerter.sources.mlflow_rest.tracking import Page, Patience, Query, Row, once, persistently

API = "/api/2.0/mlflow"
TRACES = "/api/3.0/mlflow/traces"
TRACE_FILE = "/ajax-api/2.0/mlflow/get-trace-artifact"
REFUSED = frozenset({400, 500})


class HttpTracking:
    """The REST API of an MLflow server.

    Args:
        source: the source's name, for errors.
        uri: ``http(s)://``; credentials in it are used and never shown.
        patience: how long to wait for it.
    """

    def __init__(self, source: str, uri: str, patience: Patience) -> None:
        self._source = source
        self._uri = uri.rstrip("/")
        self._bad_day = BadDay(source, self._uri)
        self._patience = patience

    def experiments(self, limit: int, token: str) -> Page:
        """See `Tracking`."""
        body = {"view_type": "ALL", "max_results": limit, "page_token": token}
        return _page(self._json("POST", f"{API}/experiments/search", body), "experiments")

    def runs(self, experiment_ids: Sequence[str], query: Query) -> Page:
        """See `Tracking`."""
        body = {
            "experiment_ids": list(experiment_ids),
            "filter": query.where,
            "run_view_type": "ALL" if query.deleted else "ACTIVE_ONLY",
            "max_results": query.limit,
            "order_by": [query.order_by],
            "page_token": query.token,
        }
        return _page(self._json("POST", f"{API}/runs/search", body), "runs")

    def traces(self, experiment_ids: Sequence[str], query: Query) -> Page:
        """See `Tracking`."""
        body = {
            "locations": [
                {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": each}} for each in experiment_ids
            ],
            "filter": query.where,
            "max_results": query.limit,
            "order_by": [query.order_by],
            "page_token": query.token,
        }
        return _page(self._json("POST", f"{TRACES}/search", body), "traces")

    def trace_spans(self, trace_ids: Sequence[str]) -> list[Row]:
        """See `Tracking`."""
        asked = "&".join(f"trace_ids={quote(each, safe='')}" for each in trace_ids)
        try:
            return _page(self._json("GET", f"{TRACES}/batchGet?{asked}", None), "traces").rows
        except ReadError as error:
            if error.status not in REFUSED:
                raise
            # For one of them, whose spans are elsewhere, or unreadable, the server refuses all.
            return [{"trace_info": {"trace_id": each}, "spans": self._spans(each)} for each in trace_ids]

    def _spans(self, trace_id: str) -> list[Row]:
        """Return the spans of one trace, wherever they are; none where the server can't get at them."""
        wanted = f"{TRACE_FILE}?request_id={quote(trace_id, safe='')}"
        try:  # once, as `artifacts` does
            answer = self._parsed(once(self._source, self._patience, lambda: self._attempt("GET", wanted, None)))
        except ReadError as error:
            if error.status in OVERLOADED or not (error.status or isinstance(error, WrongAnswerError)):
                raise
            return []
        spans = answer.get("spans")
        return [from_json(each) for each in spans] if isinstance(spans, list) else []

    def artifacts(self, run_id: str, model_id: str, path: str, token: str) -> Page:
        """See `ArtifactTracking`."""
        if model_id:
            route, asked = f"{API}/logged-models/{quote(model_id, safe='')}/artifacts/directories", {}
            folder = "artifact_directory_path"
        else:
            route, asked, folder = f"{API}/artifacts/list", {"run_id": run_id}, "path"
        asked |= {key: value for key, value in ((folder, path), ("page_token", token)) if value}
        wanted = f"{route}?{urlencode(asked)}"
        return _page(
            self._parsed(once(self._source, self._patience, lambda: self._attempt("GET", wanted, None))), "files"
        )

    def models(self, experiment_ids: Sequence[str], query: Query) -> Page:
        """See `ArtifactTracking`."""
        key, _, direction = query.order_by.partition(" ")
        body = {
            "experiment_ids": list(experiment_ids),
            "filter": query.where,
            "max_results": query.limit,
            "order_by": [{"field_name": key, "ascending": direction == "ASC"}],
            "page_token": query.token,
        }
        return _page(self._json("POST", f"{API}/logged-models/search", body), "models")

    def version(self) -> str:
        """See `Tracking`."""
        try:
            content = persistently(self._source, self._patience, lambda: self._attempt("GET", "/version", None))
        except MissingError:
            return ""
        text = content.decode(errors="replace").strip()
        return text if text[:1].isdigit() and len(text) < 40 else ""

    def user(self) -> tuple[str, bool] | None:
        """See `Tracking`."""
        try:
            user = self._json("GET", f"{API}/users/current", None).get("user")
        except (MissingError, WrongAnswerError):
            return None
        return (str(user.get("username")), bool(user.get("is_admin"))) if isinstance(user, dict) else None

    def has_workspaces(self) -> bool:
        """See `Tracking`."""
        try:
            return bool(self._json("GET", "/api/3.0/mlflow/server-info", None).get("workspaces_enabled"))
        except (MissingError, WrongAnswerError):
            return False

    def _json(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        return persistently(self._source, self._patience, lambda: self._parsed(self._attempt(method, path, body)))

    def _parsed(self, content: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(content)
        except ValueError as error:
            raise self._bad_day.wrong_answer(content) from error
        if not isinstance(answer, dict):
            raise self._bad_day.wrong_answer(content)
        return answer

    def _attempt(self, method: str, path: str, body: dict[str, Any] | None) -> bytes:
        # Imported here: MLflow takes a second and a half, which commands that never read it should not pay.
        from mlflow.exceptions import MlflowException  # noqa: PLC0415
        from mlflow.utils.credentials import get_default_host_creds  # noqa: PLC0415
        from mlflow.utils.rest_utils import http_request  # noqa: PLC0415

        try:
            # One attempt here: MLflow's own retries sleep through a shutdown (up to minutes).
            response = http_request(  # type: ignore[no-untyped-call]
                get_default_host_creds(self._uri),  # type: ignore[no-untyped-call]
                path,
                method,
                max_retries=0,
                backoff_factor=0,
                backoff_jitter=0.0,
                retry_codes=(),
                raise_on_status=False,
                timeout=self._patience.timeout_s,
                **({} if body is None else {"json": body}),
            )
        except MlflowException as error:
            raise self._bad_day.unreachable(error, self._patience.timeout_s) from None
        if response.is_redirect or response.request.method != method:  # a POST that is redirected becomes a GET
            raise self._bad_day.redirected(response.headers.get("Location") or response.url, path)
        if response.status_code == HTTPStatus.OK:
            return bytes(response.content)
        waits = response.headers.get("Retry-After", "")
        raise self._bad_day.refusal(response.status_code, path, response.content, waits)


def _page(answer: dict[str, Any], key: str) -> Page:
    return Page(answer.get(key) or [], answer.get("next_page_token") or "")
