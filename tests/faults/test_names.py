"""Names that no longer resolve: each says so in one line, waits, and nothing counts as sent."""

from __future__ import annotations

import pytest

from alerter.core.ports import DeliveryDelayedError, Notifier, SourceError, Target
from alerter.notifiers.email import EmailNotifier
from alerter.notifiers.slack import SlackNotifier
from alerter.notifiers.webhook import WebhookNotifier
from alerter.sources.mlflow_rest import MlflowRestSource
from alerter.store.engine import Store, StoreError
from tests.notifiers.samples import message
from tests.sources.poller import Poller

HOST = "nowhere.invalid"  # RFC 2606: it never resolves


@pytest.mark.parametrize(
    ("notifier", "target"),
    [
        (SlackNotifier("xoxb-1", base_url=f"http://{HOST}/api/", pace=0.0, backoff=0.0), {"channel": "#costs"}),
        (EmailNotifier(HOST, 587, sender="budgets@example.com"), {"to": "costs@example.com"}),
        (WebhookNotifier({"S": "a-made-up-secret"}), {"url": f"https://{HOST}/costs", "secret": "S"}),
    ],
    ids=["slack", "email", "webhook"],
)
def test_a_message_waits(notifier: Notifier, target: dict[str, str]) -> None:
    with pytest.raises(DeliveryDelayedError, match=r"can't be reached .*its name was not found.*; check"):
        notifier.send(Target("costs", target), message(), {}, "k")


def test_a_source_waits() -> None:
    poller = Poller(MlflowRestSource(name="main", tracking_uri=f"http://{HOST}", back_off_s=0.01))
    with pytest.raises(SourceError, match=rf"source main: http://{HOST} could not be reached: name or service"):
        poller.poll()


def test_a_database_waits() -> None:
    store = Store(f"postgresql+psycopg://alerter@{HOST}/alerter")
    with pytest.raises(StoreError, match=rf"{HOST}/alerter: its server's name was not found .*; correct"), store.read():
        raise AssertionError("it can't be there")
