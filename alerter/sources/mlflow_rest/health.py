"""What a person should know about reaching an MLflow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from alerter.core.ports import Finding
from alerter.sources.mlflow_rest.errors import MissingError, ReadError
from alerter.sources.mlflow_rest.tracking import Row, TraceQuery, Tracking
from alerter.sources.mlflow_rest.walk import all_experiments

MAJOR = "3"


def findings(
    tracking: Tracking, *, subject: str, address: str, workspace: str, chosen: Callable[[str], bool]
) -> Iterator[Finding]:
    """Yield what there is to say of an MLflow; ``chosen`` tells whether an experiment of a name is read."""
    try:
        version = tracking.version()
        experiments = list(all_experiments(tracking))
        if experiments and not version:  # a proxy may hide it, and MLflow 1.x has none: only MLflow 3 knows this search
            tracking.traces([str(experiments[0]["experiment_id"])], TraceQuery.between(0, 0, 1, ""))
    except MissingError as error:
        yield Finding(
            "error", subject, error.cause, "Check tracking_uri; an MLflow 1.x or 2.x server must be upgraded to 3.x."
        )
        return
    except ReadError as error:
        yield Finding("error", subject, error.cause, error.remedy)
        return
    if version and version.split(".")[0] != MAJOR:
        text = f"{address} is MLflow {version}; only 3.x is supported."
        yield Finding("error", subject, text, "Upgrade the server to MLflow 3.")
        return
    read = [row for row in experiments if chosen(str(row.get("name") or ""))]
    yield _reached(subject, address, version, read, len(experiments))
    yield from open_login(subject, address)
    try:
        yield from _hidden(tracking, subject, workspace)
    except ReadError as error:
        text = f"could not find out whether experiments are hidden: {error.cause}"
        yield Finding("warning", subject, text, error.remedy)


def _reached(subject: str, address: str, version: str, read: list[Row], total: int) -> Finding:
    text = f"MLflow {version or '(version unknown)'} at {address}: {len(read)} of {total} experiments are read."
    if not read:
        remedy = (
            "Check the source's experiments include and exclude."
            if total
            else "Nothing to do if MLflow is new and empty."
        )
        return Finding("warning", subject, text, remedy)
    return Finding("ok", subject, text)


def open_login(subject: str, address: str) -> Iterator[Finding]:
    """Yield a warning where MLflow's client sends a login over the network unencrypted."""
    from mlflow.utils.credentials import get_default_host_creds  # noqa: PLC0415 - slow to import

    parts = urlsplit(address)
    if parts.scheme != "http" or parts.hostname in {"localhost", "127.0.0.1", "::1"}:
        return
    login = get_default_host_creds(address)  # type: ignore[no-untyped-call]
    if login.username or login.password or login.token:
        text = f"MLflow's login goes to {parts.hostname} unencrypted with every request."
        yield Finding("warning", subject, text, "Give the server's https:// address.")


def _hidden(tracking: Tracking, subject: str, workspace: str) -> Iterator[Finding]:
    user = tracking.user()
    if user is not None and not user[1]:
        text = f"MLflow hides experiments that user {user[0]} may not read: every total is a lower bound (>=)."
        yield Finding("warning", subject, text, "Use an administrator's account, or grant it READ on every experiment.")
    if tracking.has_workspaces():
        text = f"The server has workspaces; only {workspace} is read, so totals are a lower bound (>=) for the server."
        yield Finding("warning", subject, text, "Start one alerter for each further workspace, by MLFLOW_WORKSPACE.")
