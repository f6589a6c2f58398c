"""What is particular to apprise: URLs are secrets, the library may be missing, services would act on text."""

import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from alerter.core.alerts import Message, MessageKind
from alerter.core.ports import DeliveryRejectedError, Target
from alerter.notifiers.apprise import AppriseNotifier, harmless
from tests.fixtures.http_receiver import HttpReceiver, ReceiverStarter
from tests.notifiers.samples import forecast, hostile, message, over
from tests.notifiers.test_hostile_text import KINDS, TEXTS

TARGET = Target("oncall", {"url_from": "PAGER_URL"})


def notifier(url: str) -> AppriseNotifier:
    return AppriseNotifier({"PAGER_URL": url})


@pytest.fixture
def plain_receiver(start_http_receiver: ReceiverStarter) -> HttpReceiver:
    return start_http_receiver(tls=False)


@pytest.fixture
def root_log() -> Iterator[list[logging.LogRecord]]:
    """What a program's log gets; pytest's own capture also hears what loggers keep to themselves."""
    records: list[logging.LogRecord] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    keeper, root = Keeper(), logging.getLogger()
    level = root.level
    root.addHandler(keeper)
    root.setLevel(logging.DEBUG)
    yield records
    root.removeHandler(keeper)
    root.setLevel(level)


@pytest.mark.parametrize("url", ["nonsense", "nope://t0ken", "discord://t0ken", "https://hooks.example.com/t0ken"])
def test_a_url_that_apprise_does_not_know_is_an_error_that_does_not_show_it(
    url: str, root_log: list[logging.LogRecord]
) -> None:
    (finding,) = notifier(url).check([TARGET])
    assert (finding.level, finding.subject) == ("error", "receiver oncall")
    assert finding.text == "PAGER_URL holds no URL that apprise understands"
    with pytest.raises(DeliveryRejectedError, match="PAGER_URL holds no URL that apprise understands; see"):
        notifier(url).send(TARGET, message(), {}, "k")
    logged = [record.getMessage() for record in root_log]
    assert not [each for each in (*logged, str(finding)) if "t0ken" in each]


def test_known_services_are_named_without_a_request() -> None:
    urls = {
        "pagerduty://0123456789abcdef0123456789abcdef@a_b/": "Pager Duty",
        "discord://123456789012345678/abcdefghijklmnopqrstuvwxyz": "Discord",
    }
    for url, name in urls.items():
        (finding,) = notifier(url).check([TARGET])
        assert (finding.level, finding.text) == ("ok", f"messages go to {name} by apprise")


def test_without_the_extra_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    (finding,) = notifier("json://127.0.0.1").check([TARGET])
    assert (finding.level, finding.text) == ("error", "apprise is not installed")
    assert finding.remedy == 'pip install "mlflow-alerter[apprise]"'
    with pytest.raises(DeliveryRejectedError, match="apprise is not installed; pip install"):
        notifier("json://127.0.0.1").send(TARGET, message(), {}, "k")


def test_how_bad_it_is_chooses_the_severity(plain_receiver: HttpReceiver) -> None:
    made = notifier(f"json://127.0.0.1:{plain_receiver.port}/")
    plain_receiver.status = 200
    told = (message(), message(over()), message(forecast()), Message(MessageKind.TEST, title="t", text="x"))
    for each in told:
        made.send(TARGET, each, {}, "k")
    assert [json.loads(each.body)["type"] for each in plain_receiver.requests] == [
        "warning",
        "failure",
        "warning",
        "info",
    ]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS, kind=KINDS)
def test_no_service_acts_on_what_somebody_typed(plain_receiver: HttpReceiver, text: str, kind: dict[str, Any]) -> None:
    plain_receiver.status = 200
    plain_receiver.requests.clear()
    told = message(hostile(text, **kind), over(title=text))
    notifier(f"json://127.0.0.1:{plain_receiver.port}/").send(TARGET, told, {}, "k")
    (posted,) = plain_receiver.requests
    made = json.loads(posted.body)
    for shown in (made["title"], *made["message"].splitlines()):
        assert len(shown) < 1000
        if not shown.startswith("https://"):  # the page's own address, alone on its line
            assert not set("@<>`*|[]") & set(shown)
            assert "://" not in shown


def test_names_stay_readable() -> None:
    assert harmless("hpo_resnet-50 (team: vision)", 80) == "hpo_resnet-50 (team: vision)"
