"""What the windows show and need, as plain values and callables: bootstrap fills them in, tests pass ten-line fakes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from alerter.core.views import PageData
from alerter.metrics import Metrics
from alerter.slack_requests.answers import Answers

Json = Mapping[str, object]


def _nothing() -> None:
    return None


def alone() -> str:
    """Return the role of a daemon beside which there can be no other: none."""
    return ""


@dataclass(frozen=True, slots=True)
class WebServices:
    """What the web application is made of; its callables are run in threads, several at a time.

    Attributes:
        page: what the status page shows.
        status, alerts: the bodies of ``/api/status`` and ``/api/alerts``, as ``status --json`` and ``alerts --json``.
        readiness: why requests for data can't be answered well yet, one sentence each; empty is ready.
        metrics: what ``/metrics`` renders, after ``before_scrape`` has set what the database knows.
        clock: seconds since the epoch, for the age of signed requests.
        answers: works on Slack's requests; None where Slack doesn't come over HTTP.
        signing_secret: gives SLACK_SIGNING_SECRET; without one every Slack request is refused.
        role: whether this daemon polls or stands by, in words; ``""`` where there can be no other.
        names: by which it may be asked where no token is needed; None is any.
        token: gives ALERTER_WEB_TOKEN; None or ``""`` leaves page, API and metrics open.
    """

    page: Callable[[], PageData]
    status: Callable[[], Json]
    alerts: Callable[[], Json]
    readiness: Callable[[], Sequence[str]]
    metrics: Metrics
    clock: Callable[[], float]
    before_scrape: Callable[[], None] = _nothing
    answers: Answers | None = None
    signing_secret: Callable[[], str | None] = _nothing
    token: Callable[[], str | None] = _nothing
    names: Callable[[], frozenset[str] | None] = _nothing
    role: Callable[[], str] = alone
