"""The models of ``alerter.yaml``; the same values are what the program's parts are made of."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema

from alerter.config.alert_rules import AlertRulesModel
from alerter.config.digests import DigestSection
from alerter.config.fields import (
    Day,
    Duration,
    InvalidValueError,
    Many,
    Name,
    OneOrMany,
    PositiveDuration,
    Shape,
    Text,
    word_of,
)
from alerter.config.ledger_settings import LedgerConfig
from alerter.config.price_models import existing_file
from alerter.config.problems import shown
from alerter.config.receiver_models import Address, ReceiverSection
from alerter.config.sections import Section
from alerter.config.storage_settings import StorageConfig
from alerter.config.token_settings import TokensConfig
from alerter.config.urls import DatabaseUrl, TrackingUri, WebUrl
from alerter.core.liveness import Patience
from alerter.core.resources import DEFAULT_KEYS

_LISTEN = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+|\*)?:(?P<port>[0-9]{1,5})")


def _listen(text: str) -> str:
    match = _LISTEN.fullmatch(text)
    if match is None or int(match["port"]) > 65535:
        raise InvalidValueError(f"{shown(text)} is not host:port: write it like 127.0.0.1:8321")
    return text


Port = Annotated[int, Field(ge=1, le=65535)]


class ExperimentFilter(Section):
    """Which experiments of a source are read, by globs of their names; no ``include`` is all."""

    label: ClassVar[str] = "experiments"
    include: Many[Text] = ()
    exclude: Many[Text] = ()


class SourceConfig(Section):
    """One MLflow server.

    ``tracking_uri`` is never empty in a loaded configuration; ``ui_url`` is ``""`` where links can't be made.
    """

    label: ClassVar[str] = "a source"
    name: Annotated[Name, Shape(r"^[A-Za-z0-9][A-Za-z0-9._-]*$", "letters, digits, '.', '_' and '-'")]
    tracking_uri: TrackingUri = Field("", description="default: $MLFLOW_TRACKING_URI, else http://127.0.0.1:5000")
    ui_url: WebUrl = Field("", description="for links; default: tracking_uri")
    backend_store: DatabaseUrl | None = Field(None, description="the server's own database, read only")
    experiments: ExperimentFilter = ExperimentFilter()
    history_from: Day | None = Field(None, description="runs that ended before this UTC day are left out")


class PollConfig(Section):
    """When sources are read; durations in seconds."""

    label: ClassVar[str] = "poll"
    every_s: PositiveDuration = Field(60.0, alias="every")
    overlap_s: Duration = Field(900.0, alias="overlap", description="how far each poll looks back behind the last one")
    resweep_s: PositiveDuration = Field(21600.0, alias="resweep", description="every run is seen again within")
    source_down_after_s: Duration = Field(900.0, alias="source_down_after", description="then the operators are told")
    timeout_s: PositiveDuration = Field(30.0, alias="timeout", description="of one request")
    page_size: int = Field(1000, ge=1, le=50000)
    concurrency: int = Field(2, ge=1, le=8, description="windows of page_size runs that a first sync asks for at once")
    share: Annotated[Text, Shape(r"^(100|[1-9][0-9]?)\s*%$", "a whole percentage from 1% to 100%")] = Field(
        "25%", description="of elapsed time that reading runs again, traces and artifacts may take together"
    )

    @property
    def background_share(self) -> float:
        """The share, above 0, at most 1."""
        return int(self.share.rstrip("% ")) / 100


UsageField = Annotated[str, word_of(lambda: tuple(DEFAULT_KEYS), "quantity")]


class MeteringConfig(Section):
    """What counts as running, and which params and tags name a machine; durations in seconds."""

    label: ClassVar[str] = "metering"
    stale_after_s: PositiveDuration = Field(10800.0, alias="stale_after")
    no_heartbeat_after_s: PositiveDuration = Field(86400.0, alias="no_heartbeat_after")
    max_nodes: int = Field(64, ge=1, le=10000)
    nested: Literal["free", "sum"] = Field("free", description="what a run costs while the run above has its machine")
    keys: dict[UsageField, OneOrMany[Text]] = Field(default_factory=dict)
    resources: Annotated[
        Path | None, PlainValidator(existing_file), WithJsonSchema({"type": "string", "examples": ["clusters.csv"]})
    ] = Field(None, description="CSV or YAML: what the machine of a resource_id or Databricks cluster id is")

    @property
    def patience(self) -> Patience:
        """How long a running run may be silent."""
        return Patience(round(self.stale_after_s * 1000), round(self.no_heartbeat_after_s * 1000))


class TagsSection(Section):
    """How tag values are cleaned before they are matched."""

    label: ClassVar[str] = "tags"
    trim: bool = True
    casefold: OneOrMany[Text] = Field((), description="tags whose values are compared without regard to case")
    aliases: dict[Text, dict[Text, Text]] = Field(default_factory=dict, description="tag: {value: name}")
    known_values: dict[Text, OneOrMany[Text]] = Field(
        default_factory=dict, description="tag: [values]; another value counts as (unknown)"
    )
    derive: dict[Text, OneOrMany[Text]] = Field(
        default_factory=dict, description='tag: "/teams/{tag}/*", a pattern of the names of experiments'
    )


class SlackConfig(Section):
    """How Slack is reached, and who may act from there; an empty list of ``allowed_...`` is everyone."""

    label: ClassVar[str] = "slack"
    mode: Literal["socket", "http"] = "socket"
    command: Annotated[Text, Shape(r"^/[a-z0-9_-]{1,31}$", "a slash command such as /budget")] = "/budget"
    base_url: WebUrl = Field("https://slack.com/api", description="for a test server")
    allowed_teams: Many[Text] = ()
    allowed_channels: Many[Text] = ()
    allowed_users: Many[Text] = ()
    own_budgets_only: bool = False


class EmailConfig(Section):
    """The SMTP server; user and password are SMTP_USERNAME and SMTP_PASSWORD. ``timeout_s`` in seconds."""

    label: ClassVar[str] = "email"
    host: Text
    port: Port = 587
    starttls: bool = True
    sender: Address = Field(alias="from")
    timeout_s: PositiveDuration = Field(30.0, alias="timeout")
    ca_file: Text | None = Field(None, description="PEM of a private certificate authority; relative to this file")


class AlertsConfig(AlertRulesModel):
    """When alerts are told, and what messages say."""

    label: ClassVar[str] = "alerts"
    coverage_floor: Annotated[Text, Shape(r"^(100|[1-9]?[0-9])\s*%$", "a whole percentage up to 100%")] = Field(
        "100%", description="below it a message says how much of its run time had a price"
    )

    @property
    def coverage_floor_percent(self) -> int:
        """The floor in whole percent."""
        return int(self.coverage_floor.rstrip("% "))


class WebConfig(Section):
    """Where the page listens; ``public_url`` is what links show, None where only this machine can open it."""

    label: ClassVar[str] = "web"
    listen: Annotated[Text, AfterValidator(_listen)] = "127.0.0.1:8321"
    public_url: WebUrl | None = None

    @property
    def host(self) -> str:
        """The interface; ``0.0.0.0`` for ``*`` or none."""
        host = self.listen.rpartition(":")[0].strip("[]")
        return host if host not in {"", "*"} else "0.0.0.0"  # noqa: S104 - asked for

    @property
    def port(self) -> int:
        """The TCP port; 0 takes a free one."""
        return int(self.listen.rpartition(":")[2])


class AlerterFile(Section):
    """``alerter.yaml``."""

    label: ClassVar[str] = "alerter.yaml"
    sources: Many[SourceConfig] = ()
    database: DatabaseUrl = "sqlite:///alerter.db"
    poll: PollConfig = PollConfig()
    metering: MeteringConfig = MeteringConfig()
    tokens: TokensConfig = TokensConfig()
    storage: StorageConfig = StorageConfig()
    ledger: LedgerConfig = LedgerConfig()
    tags: TagsSection = TagsSection()
    receivers: Many[ReceiverSection] = ()
    slack: SlackConfig = SlackConfig()
    email: EmailConfig | None = None
    web: WebConfig = WebConfig()
    alerts: AlertsConfig = AlertsConfig()
    digests: Many[DigestSection] = ()
    operators: Name | None = Field(None, description="the receiver that is told about sources and deliveries that fail")
