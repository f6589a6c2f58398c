"""Strict models of the YAML files; every error with file:line:column, what was expected, and a "did you mean"."""

from typing import Any

from alerter.config.budgets import budget_revision
from alerter.config.loading import load, load_keeping, snapshot
from alerter.config.model import Config, ReceiverConfig
from alerter.config.problems import ConfigError, Problem
from alerter.config.resuming import load_resuming, team_files
from alerter.config.secrets import Secrets, export_mlflow_secrets
from alerter.config.settings import EmailConfig, MeteringConfig, PollConfig, SlackConfig, SourceConfig, WebConfig

__all__ = [
    "Config",
    "ConfigError",
    "EmailConfig",
    "MeteringConfig",
    "PollConfig",
    "Problem",
    "ReceiverConfig",
    "Secrets",
    "SlackConfig",
    "SourceConfig",
    "WebConfig",
    "budget_revision",
    "export_mlflow_secrets",
    "load",
    "load_keeping",
    "load_resuming",
    "schema",
    "snapshot",
    "team_files",
]


def schema() -> dict[str, Any]:
    """Return the JSON Schema of each file by its name."""
    from alerter.config.json_schema import schema as make  # noqa: PLC0415 - only `alerter schema` needs it

    return make()
