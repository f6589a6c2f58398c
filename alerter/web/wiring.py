"""What the windows show, made from the services of the moment."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pydantic import SecretStr

from alerter.alerts_shown import alert_views, alerts_json
from alerter.core.views import PageData
from alerter.leadership import STANDS_BY
from alerter.metrics import Metrics
from alerter.page_data import page_data, source_states
from alerter.services import Services
from alerter.slack_requests.answers import Answers
from alerter.status import status_json
from alerter.store.digests import digests_sent
from alerter.store.engine import StoreError
from alerter.store.outbox_read import counts
from alerter.web.auth import own_names
from alerter.web.services import Json, WebServices, alone

log = logging.getLogger(__name__)

LATE_POLLS = 3
"""Polls that may be missed before the data counts as too old."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the windows need beside the services.

    Attributes:
        clock: the time in epoch milliseconds.
        problems: of the configuration and of the daemon, one sentence each.
        late: parts of the daemon that give no sign of life.
        answers: works on Slack's requests where they come over HTTP.
        role: whether this daemon polls or stands by, in words; ``""`` where there can be no other.
    """

    clock: Callable[[], int]
    metrics: Metrics
    problems: Callable[[], Sequence[str]]
    late: Callable[[], Sequence[str]]
    answers: Answers | None = None
    role: Callable[[], str] = alone


def web_services(current: Callable[[], Services], around: Surroundings) -> WebServices:
    """Return what the web application is made of; ``current`` gives the services of the moment."""

    def page() -> PageData:
        services = current()
        with services.windows.read() as view:
            return page_data(services, view, around.clock(), around.problems(), around.role())

    def status() -> Json:
        with current().windows.read() as view:
            return status_json(view, around.clock())

    def alerts() -> Json:
        with current().windows.read() as view:
            return alerts_json(view)

    def before_scrape() -> None:
        around.metrics.set_leader(not around.role().startswith(STANDS_BY))
        _count(current(), around.metrics)

    return WebServices(
        page=page,
        status=status,
        alerts=alerts,
        readiness=lambda: list(_reasons(current(), around)),
        metrics=around.metrics,
        clock=lambda: around.clock() / 1000,
        before_scrape=before_scrape,
        answers=around.answers,
        signing_secret=lambda: _text(current().config.secrets.slack_signing_secret),
        token=lambda: _text(current().config.secrets.alerter_web_token),
        names=lambda: own_names(current().config.web.host, current().config.web.public_url),
        role=around.role,
    )


def _count(services: Services, metrics: Metrics) -> None:
    """Bring up to date what the database knows better; it stays as it was where that can't be read."""
    try:
        with services.windows.read() as view:
            for name, state in source_states(services, view):
                metrics.set_complete(name, state.complete_ms if state else None)
            metrics.set_alerts(Counter(each.status.value for each in alert_views(view)))
            metrics.set_notifications(counts(view.connection))
            metrics.set_digests(digests_sent(view.connection))
    except StoreError as error:  # the outbox has told of it, and every scrape would tell it again
        log.debug("metrics of what the database holds stay as they were error=%s", error)


def _reasons(services: Services, around: Surroundings) -> Iterator[str]:
    """Yield why requests for data can't be answered well yet."""
    now_ms = around.clock()
    longest_ms = LATE_POLLS * round(services.config.poll.every_s * 1000)
    try:
        with services.windows.read() as view:
            states = list(source_states(services, view))
    except StoreError as error:
        yield str(error)
        return
    for name, state in states:
        if state is None or state.complete_ms is None:
            why = f" ({state.error})" if state and state.error else ""
            yield f"source {name}: the first sweep is not done{why}"
        elif now_ms - state.complete_ms > longest_ms:
            why = f" ({state.error})" if state.error else ""
            yield f"source {name} was last read completely {(now_ms - state.complete_ms) // 1000} s ago{why}"
    for part in around.late():
        yield f"{part} gives no sign of life"


def _text(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None
