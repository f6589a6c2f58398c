"""Kind -> class, one line each, as ``module:name``: what isn't used isn't imported."""

from __future__ import annotations

from importlib import import_module
from typing import Any

SOURCES: dict[str, str] = {
    "mlflow": "alerter.sources.mlflow_rest:MlflowRestSource",
    "backend_store": "alerter.sources.mlflow_database:MlflowDatabaseSource",
}

PRICE_BOOKS: dict[str, str] = {
    "builtin": "alerter.pricebooks.builtin:BuiltinBook",
    "file": "alerter.pricebooks.csv_file:CsvBook",
}

NOTIFIERS: dict[str, str] = {
    "slack": "alerter.notifiers.slack:SlackNotifier",
    "email": "alerter.notifiers.email:EmailNotifier",
    "webhook": "alerter.notifiers.webhook:WebhookNotifier",
    "apprise": "alerter.notifiers.apprise:AppriseNotifier",
    "console": "alerter.notifiers.console:ConsoleNotifier",
}


def load(kinds: dict[str, str], kind: str) -> Any:  # noqa: ANN401 - a class of any of the ports
    """Return the class that a kind names."""
    module, _, name = kinds[kind].partition(":")
    return getattr(import_module(module), name)
