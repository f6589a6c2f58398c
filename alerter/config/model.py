"""The configuration as a whole: what every other part is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from alerter.config.ledger_settings import LedgerConfig
from alerter.config.prices import Prices
from alerter.config.secrets import Secrets
from alerter.config.settings import (
    AlertsConfig,
    EmailConfig,
    MeteringConfig,
    PollConfig,
    SlackConfig,
    SourceConfig,
    WebConfig,
)
from alerter.config.storage_settings import StorageConfig
from alerter.config.token_settings import TokensConfig
from alerter.config.yaml_files import Document
from alerter.core.budgets import Budget, TagCleaning
from alerter.core.digests import DigestSpec
from alerter.core.machines import Machines
from alerter.core.resources import DEFAULT_KEYS


@dataclass(frozen=True, slots=True)
class ReceiverConfig:
    """Who is told, and how.

    Attributes:
        name: by which budgets name it.
        channels: kind -> settings, as a notifier's `Target` takes them: ``{"slack": {"channel": "#ml-costs"}}``,
            ``{"email": {"to": "a@x, b@x"}}``, ``{"console": {}}``.
        group: whether crossings of one cycle come as one message.
        fallback: the receiver that is told what this one can't be; None is the operators'.
        show_users: whether its messages name who started a run.
    """

    name: str
    channels: Mapping[str, Mapping[str, str]]
    group: bool = True
    fallback: str | None = None
    show_users: bool = True


CONSOLE = ReceiverConfig("console", {"console": {}})
"""The receiver that there is where none is configured."""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that is configured, checked as a whole; no ``repr`` of it shows a secret.

    Attributes:
        directory: the folder that it was read from.
        sources: at least one in a loaded configuration.
        database: SQLAlchemy URL; a relative SQLite path is relative to the process's folder.
        machines: of the file that ``metering.resources`` names.
        receiver_secrets: those that receivers name, by their names, as far as they are set.
        operators: the receiver that is told about failing sources and deliveries; None only logs.
        file_operators: the receiver that is told of mistakes in a file of budgets, where it names one.
        files: what was read: the YAML files, then the catalogs that they name.
        digest: SHA-256 of what the files say, in hex; comments in YAML and the order of its keys don't count.
        revision: the git commit that the folder is at, ``""`` where that isn't known.
        documents: the parsed files, kept for a reload in which some of them are bad.
    """

    directory: Path = Path("config")
    sources: tuple[SourceConfig, ...] = ()
    database: str = "sqlite:///alerter.db"
    poll: PollConfig = field(default_factory=PollConfig)
    metering: MeteringConfig = field(default_factory=MeteringConfig)
    machines: Machines = field(default_factory=dict)
    tokens: TokensConfig = field(default_factory=TokensConfig)
    storage: StorageConfig = field(default_factory=StorageConfig)
    ledger: LedgerConfig = field(default_factory=LedgerConfig)
    tags: TagCleaning = field(default_factory=TagCleaning)
    receivers: tuple[ReceiverConfig, ...] = (CONSOLE,)
    slack: SlackConfig = field(default_factory=SlackConfig)
    email: EmailConfig | None = None
    web: WebConfig = field(default_factory=WebConfig)
    alerts: AlertsConfig = field(default_factory=AlertsConfig)
    operators: str | None = None
    file_operators: Mapping[Path, str] = field(default_factory=dict)
    digests: tuple[DigestSpec, ...] = ()
    budgets: tuple[Budget, ...] = ()
    prices: Prices = field(default_factory=Prices)
    secrets: Secrets = field(default_factory=Secrets)
    receiver_secrets: Mapping[str, SecretStr] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    digest: str = ""
    revision: str = field(default="", compare=False)
    documents: Mapping[Path, Document] = field(default_factory=dict, repr=False, compare=False)

    @property
    def usage_keys(self) -> dict[str, tuple[str, ...]]:
        """Which params and tags tell what about a machine: the defaults, overlaid by ``metering.keys``."""
        return {**DEFAULT_KEYS, **self.metering.keys}

    @property
    def receiver_names(self) -> frozenset[str]:
        """The names of all receivers."""
        return frozenset(each.name for each in self.receivers)

    def receiver(self, name: str) -> ReceiverConfig | None:
        """Return a receiver by its name, or None."""
        return next((each for each in self.receivers if each.name == name), None)
