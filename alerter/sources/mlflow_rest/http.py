"""MLflow over HTTP, with its client's authentication, TLS and headers, but JSON for protobuf: a ninth of the CPU."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from alerter.sources.mlflow_rest.errors import MissingError, ReadError, TransientError, without_credentials
from alerter.sources.mlflow_rest.spans import from_json
from alerter.sources.mlflow_rest.tracking import Page, Patience, Query, Row, once, persistently

API = "/api/2.0/mlflow"
TRACES = "/api/3.0/mlflow/traces"
TRACE_FILE = "/ajax-api/2.0/mlflow/get-trace-artifact"
ACCOUNT = "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN."
ADDRESS = "Check tracking_uri and that MLflow is running there."
OVERLOADED = frozenset({408, 429, 502, 503, 504})
TRY_AGAIN = OVERLOADED | {500}
REFUSED = frozenset({400, 500})
SPANS_ELSEWHERE = "Trace data not stored in tracking store"
"""What MLflow says, with 500, of a trace whose client uploaded its spans as a file, or died before it sent them."""


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
        self._shown = without_credentials(self._uri)
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
            text = self._read("GET", "/version", None).decode(errors="replace").strip()
        except MissingError:
            return ""
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
        return self._parsed(self._read(method, path, body))

    def _parsed(self, content: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(content)
        except ValueError as error:
            raise self._wrong_answer(content) from error
        if not isinstance(answer, dict):
            raise self._wrong_answer(content)
        return answer

    def _wrong_answer(self, content: bytes) -> WrongAnswerError:
        kind = "a web page" if content.lstrip()[:1] == b"<" else "something else"
        return WrongAnswerError(
            self._source,
            f"{self._shown} answered with {kind} where MLflow answers with JSON.",
            "Check tracking_uri: is it the MLflow server itself, with no login page in front?",
        )

    def _read(self, method: str, path: str, body: dict[str, Any] | None) -> bytes:
        return persistently(self._source, self._patience, lambda: self._attempt(method, path, body))

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
            raise self._unreachable(error) from None
        if response.status_code == HTTPStatus.OK:
            return bytes(response.content)
        raise self._refusal(response.status_code, path, response.content, response.headers.get("Retry-After", ""))

    def _unreachable(self, error: Exception) -> ReadError:
        from requests import exceptions  # noqa: PLC0415
        from urllib3.exceptions import ReadTimeoutError  # noqa: PLC0415

        causes = list(_causes(error))
        # Asked for no retries, requests tells a time-out as a broken connection: what it wraps knows better.
        if any(isinstance(cause, TimeoutError | ReadTimeoutError) for cause in causes):
            text = f"{self._shown} did not answer within {self._patience.timeout_s:g} s."
            return TransientError(self._source, text, "Check that MLflow is up and not overloaded.")
        for untrusted in (cause for cause in causes if isinstance(cause, ssl.SSLCertVerificationError)):
            text = f"{self._shown} could not be trusted: {untrusted.verify_message}."
            remedy = "Renew its certificate, or trust its authority with MLFLOW_TRACKING_SERVER_CERT_PATH."
            return ReadError(self._source, text, remedy)
        if any(isinstance(cause, ssl.SSLError) for cause in causes):
            return ReadError(
                self._source, f"{self._shown} does not speak TLS as it should.", "Is it http://, not https://?"
            )
        if any(isinstance(cause, exceptions.ConnectionError | exceptions.ChunkedEncodingError) for cause in causes):
            text = f"{self._shown} could not be reached: {_reason(causes)}."
            return TransientError(self._source, text, ADDRESS)
        # MLflow's own text may quote the URL with its password: only the kind of the error is told.
        kind = type(causes[min(1, len(causes) - 1)]).__name__
        return ReadError(
            self._source, f"{self._shown} could not be asked ({kind}).", f"{ADDRESS} See MLFLOW_TRACKING_*."
        )

    def _refusal(self, status: int, path: str, content: bytes, retry_after: str) -> ReadError:
        code, said = _error_of(content)
        if status == HTTPStatus.UNAUTHORIZED:
            return ReadError(self._source, f"{self._shown} refused the credentials (401).", ACCOUNT, status=status)
        if status == HTTPStatus.FORBIDDEN:
            text = f"{self._shown} does not let this account read {path} (403)."
            remedy = f"Give it READ on the experiments, or another account. {ACCOUNT}"
            return ReadError(self._source, text, remedy, status=status)
        if SPANS_ELSEWHERE in said:
            return ReadError(self._source, f"{self._shown} has the spans elsewhere.", "", status=status)
        if status in TRY_AGAIN:
            seconds = float(retry_after) if retry_after.isdigit() else 0.0
            text = f"{self._shown} failed ({status}{said})."
            return TransientError(self._source, text, "Look at MLflow's own log.", seconds, status=status)
        if code == "RESOURCE_DOES_NOT_EXIST":
            return MissingError(self._source, f"{self._shown} no longer has it ({status}{said}).", "", status=status)
        if status == HTTPStatus.NOT_FOUND:
            text = f"{self._shown} is not an MLflow 3 server: it knows no {path} (404)."
            return MissingError(self._source, text, ADDRESS, status=status)
        text = f"{self._shown} refused {path} ({status}{said})."
        return ReadError(self._source, text, "Check tracking_uri, and that MLflow 3 is running there.", status=status)


class WrongAnswerError(ReadError):
    """Something answered that isn't MLflow."""


def _page(answer: dict[str, Any], key: str) -> Page:
    return Page(answer.get(key) or [], answer.get("next_page_token") or "")


def _error_of(content: bytes) -> tuple[str, str]:
    """Return MLflow's error code and its message, shortened, for an error; ``""`` where there is none."""
    try:
        answer = json.loads(content)
        message = " ".join(str(answer.get("message", "")).split())[:200]
        return str(answer.get("error_code", "")), f": {message}" if message else ""
    except (ValueError, AttributeError):
        return "", ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, what caused it, and so on."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _reason(causes: Iterable[BaseException]) -> str:
    """Return why a connection failed in the system's own words; never the URL, which may hold a password."""
    told = (cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror)
    return next(told, "the connection broke").lower()
