"""What went wrong with a request to MLflow, in words that say what to change; no secret is among them."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Final
from urllib.parse import urljoin

from alerter.sources.mlflow_rest.errors import MissingError, ReadError, TransientError, without_credentials

ACCOUNT: Final = "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN."
ADDRESS: Final = "Check tracking_uri and that MLflow is running there."
PATH: Final = "Check tracking_uri, and under which path MLflow is served there."
WORKSPACE: Final = "Check MLFLOW_WORKSPACE."
FEWER: Final = "It wants fewer requests: raise poll.every, or lower poll.concurrency or poll.share."
LOGS: Final = "Look at MLflow's own log, and at that of what is in front of it."
OVERLOADED: Final = frozenset({408, 429, 502, 503, 504})
TRY_AGAIN: Final = OVERLOADED | {500}
SETTINGS: Final = "MLFLOW_TRACKING_"
FILES: Final = frozenset({"X509", "PEM"})
"""What OpenSSL calls its parts that read certificates, before anything is sent."""

SPANS_ELSEWHERE: Final = "Trace data not stored in tracking store"
"""What MLflow says, with 500, of a trace whose client uploaded its spans as a file, or died before it sent them."""


class WrongAnswerError(ReadError):
    """Something answered that isn't MLflow."""


class CutAnswerError(WrongAnswerError, TransientError):
    """What may be MLflow's answer broke off, though the connection didn't: another attempt may get all of it."""


class BadDay:
    """Tells the failures of one server.

    Args:
        source: the source's name.
        uri: the server's address; credentials in it are never shown.
    """

    def __init__(self, source: str, uri: str) -> None:
        self._source = source
        self._uri = uri
        self._shown = without_credentials(uri)

    def wrong_answer(self, content: bytes) -> WrongAnswerError:
        """Return the error for an answer that isn't JSON as MLflow writes it."""
        if content.lstrip()[:1] == b"{":
            return CutAnswerError(
                self._source,
                f"{self._shown} answered with JSON that breaks off.",
                "Check tracking_uri and what is in front of MLflow; a lower poll.page_size makes answers shorter.",
            )
        kind = "a web page" if content.lstrip()[:1] == b"<" else "something else"
        return WrongAnswerError(
            self._source,
            f"{self._shown} answered with {kind} where MLflow answers with JSON.",
            "Check tracking_uri: is it the MLflow server itself, with no login page in front?",
        )

    def redirected(self, target: str, path: str) -> ReadError:
        """Return the error for an answer that sends a request elsewhere, where it can't go as it is."""
        elsewhere = without_credentials(urljoin(self._uri, target)).removesuffix(path)
        return ReadError(
            self._source,
            f"{self._shown} redirects to {elsewhere}.",
            "If MLflow is there, give that address as tracking_uri; if it is a login page, the alerter can't pass it.",
        )

    def unreachable(self, error: Exception, timeout_s: float) -> ReadError:
        """Return the error for a request that got no answer."""
        from requests import exceptions  # noqa: PLC0415 - slow to import
        from urllib3.exceptions import ReadTimeoutError  # noqa: PLC0415

        causes = list(_causes(error))
        # Asked for no retries, requests tells a time-out as a broken connection: what it wraps knows better.
        if any(isinstance(cause, TimeoutError | ReadTimeoutError) for cause in causes):
            text = f"{self._shown} did not answer within {timeout_s:g} s."
            return TransientError(self._source, text, "Check that MLflow is up and not overloaded.")
        if (untrusted := self._untrusted(causes)) is not None:
            return untrusted
        if any(isinstance(cause, exceptions.TooManyRedirects) for cause in causes):
            return ReadError(self._source, f"{self._shown} redirects in a circle.", ADDRESS)
        broken = exceptions.ConnectionError | exceptions.ChunkedEncodingError | exceptions.ContentDecodingError
        if any(isinstance(cause, broken) for cause in causes):
            text = f"{self._shown} could not be reached: {_reason(causes)}."
            return TransientError(self._source, text, ADDRESS)
        if len(causes) == 1 and SETTINGS in str(error):  # MLflow's client finds that they contradict each other
            said = " ".join(str(error).split()).rstrip(".")
            return ReadError(self._source, f"{self._shown} could not be asked: {said}.", f"See {SETTINGS}*.")
        # Otherwise MLflow's own text may quote the URL with its password: only the kind of the error is told.
        kind = type(causes[min(1, len(causes) - 1)]).__name__
        return ReadError(self._source, f"{self._shown} could not be asked ({kind}).", f"{ADDRESS} See {SETTINGS}*.")

    def _untrusted(self, causes: Iterable[BaseException]) -> ReadError | None:
        for cause in causes:
            if isinstance(cause, ssl.SSLCertVerificationError):
                text = f"{self._shown} could not be trusted: {cause.verify_message.rstrip('.')}."
                remedy = "Renew its certificate, or trust its authority with MLFLOW_TRACKING_SERVER_CERT_PATH."
                if "mismatch" in cause.verify_message:
                    remedy = "Give a tracking_uri that its certificate names."
                return ReadError(self._source, text, remedy)
            # requests says so of a file that isn't there.
            no_file = type(cause) is OSError and "TLS" in str(cause)
            if no_file or (isinstance(cause, ssl.SSLError) and cause.library in FILES):
                text = f"{self._shown} could not be asked: a file of certificates can't be read."
                remedy = "MLFLOW_TRACKING_SERVER_CERT_PATH and MLFLOW_TRACKING_CLIENT_CERT_PATH must name PEM files."
                return ReadError(self._source, text, remedy)
            if isinstance(cause, ssl.SSLError):
                text = f"{self._shown} does not speak TLS as it should."
                return ReadError(self._source, text, "Is it http://, not https://?")
        return None

    def refusal(self, status: int, path: str, content: bytes, retry_after: str) -> ReadError:
        """Return the error for an answer that is none, such as 503."""
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
            seconds = float(retry_after) if retry_after.isdecimal() else 0.0
            text = f"{self._shown} failed ({status}{said})."
            remedy = FEWER if status == HTTPStatus.TOO_MANY_REQUESTS else LOGS
            return TransientError(self._source, text, remedy, seconds, status=status)
        if code == "RESOURCE_DOES_NOT_EXIST" and said.startswith(": Workspace "):
            return ReadError(self._source, f"{self._shown} refused ({status}{said}).", WORKSPACE, status=status)
        if code == "RESOURCE_DOES_NOT_EXIST":
            return MissingError(self._source, f"{self._shown} no longer has it ({status}{said}).", "", status=status)
        if status == HTTPStatus.NOT_FOUND:
            text = f"{self._shown} is not an MLflow 3 server: it knows no {path} (404)."
            return MissingError(self._source, text, PATH, status=status)
        text = f"{self._shown} refused {path} ({status}{said})."
        return ReadError(self._source, text, "Check tracking_uri, and that MLflow 3 is running there.", status=status)


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
