"""The models of ``receivers:``: who is told, and how."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from alerter.config.fields import InvalidValueError, Name, OneOrMany, Shape, Text
from alerter.config.problems import shown
from alerter.config.sections import Section
from alerter.config.urls import HookUrl

_ADDRESS = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")
_SECRET_NAME = r"^[A-Z][A-Z0-9_]{1,63}$"  # noqa: S105 - of names


def _address(text: str) -> str:
    bare = text.rpartition("<")[2].removesuffix(">") if text.endswith(">") else text
    if not _ADDRESS.fullmatch(bare):
        raise InvalidValueError(f"{shown(text)} is not an e-mail address")
    return text


def _secret_name(text: str) -> str:
    if not re.fullmatch(_SECRET_NAME, text):
        # It is not repeated: it may be the secret itself.
        raise InvalidValueError(
            "expected the name of an environment variable that holds it, in capital letters, such as FINANCE_URL; "
            "the value itself must not stand in YAML"
        )
    return text


Address = Annotated[Text, AfterValidator(_address)]
"""An e-mail address, alone or as ``Name <address>``."""

SecretName = Annotated[Text, AfterValidator(_secret_name), WithJsonSchema({"type": "string", "pattern": _SECRET_NAME})]
"""The name of an environment variable, or in lower case of a file, that holds a secret."""


class SlackTarget(Section):
    """A Slack channel of a receiver."""

    label: ClassVar[str] = "slack"
    channel: Annotated[Text, Shape(r"^[#@]?[^\s#@,]{1,80}$", 'a channel such as "#ml-costs", or its id')]


class EmailTarget(Section):
    """The e-mail addresses of a receiver."""

    label: ClassVar[str] = "email"
    to: Annotated[OneOrMany[Address], Field(min_length=1)]


class WebhookTarget(Section):
    """An address that signed JSON is posted to."""

    label: ClassVar[str] = "webhook"
    url: HookUrl | None = Field(None, description="where to post, unless url_from says it")
    url_from: SecretName | None = Field(None, description="the name of a secret that holds the address")
    secret: SecretName = Field("WEBHOOK_SECRET", description="the name of the secret that signs")

    @model_validator(mode="after")
    def _one_address(self) -> WebhookTarget:
        if (self.url is None) == (self.url_from is None):
            raise InvalidValueError("a webhook needs either `url: https://...` or `url_from: NAME` of a secret")
        return self

    def settings(self) -> dict[str, str]:
        """Return what a notifier's `Target` takes."""
        where = {"url": self.url} if self.url else {"url_from": self.url_from or ""}
        return {**where, "secret": self.secret}


class AppriseTarget(Section):
    """Any service that apprise knows."""

    label: ClassVar[str] = "apprise"
    url_from: SecretName = Field(description="the name of a secret that holds the apprise URL")


class ConsoleTarget(Section):
    """Standard output, as a receiver's channel."""

    label: ClassVar[str] = "console"


class ReceiverSection(Section):
    """Who is told, and how."""

    label: ClassVar[str] = "a receiver"
    empty_is_set: ClassVar[frozenset[str]] = frozenset({"console"})
    name: Annotated[Name, Shape(r"^[^{}]*$", "a name without braces")]
    slack: SlackTarget | None = None
    email: EmailTarget | None = None
    webhook: WebhookTarget | None = None
    apprise: AppriseTarget | None = None
    console: ConsoleTarget | None = None
    group: bool = Field(True, description="crossings of one cycle come as one message")
    show_users: bool = Field(True, description="name who started a run; false for channels that many people read")
    fallback: Name | None = Field(None, description="the receiver that is told what this one can't be; else operators")

    def channels(self) -> dict[str, dict[str, str]]:
        """Return the settings of each kind of channel, as a notifier's `Target` takes them."""
        found: dict[str, dict[str, str]] = {}
        if self.slack is not None:
            found["slack"] = {"channel": self.slack.channel}
        if self.email is not None:
            found["email"] = {"to": ", ".join(self.email.to)}
        if self.webhook is not None:
            found["webhook"] = self.webhook.settings()
        if self.apprise is not None:
            found["apprise"] = {"url_from": self.apprise.url_from}
        if self.console is not None:
            found["console"] = {}
        return found
