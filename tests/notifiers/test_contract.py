"""What every notifier must do, tried on the real thing: two Slack emulators, SMTP with TLS and login, a stream."""

import importlib
import inspect
import logging
import pkgutil
import traceback
from collections.abc import Callable

import pytest

import alerter.notifiers
from alerter.core.alerts import Message, MessageKind
from alerter.core.ports import (
    DeliveryAmbiguousError,
    DeliveryDelayedError,
    DeliveryError,
    DeliveryRejectedError,
    Receipt,
)
from alerter.registry import NOTIFIERS
from tests.digests.sample import MESSAGE as DIGEST
from tests.notifiers.kits import Kit, apprise_kit, console_kit, email_kit, slack_kit, webhook_kit
from tests.notifiers.samples import HOSTILE, NOW, acknowledged, alert, hostile, message, over

KITS = [
    pytest.param("slack-emulate", marks=pytest.mark.needs_node),
    pytest.param("slack-local", marks=pytest.mark.needs_local_slack),
    "email",
    "webhook",
    "apprise",
    "console",
]


@pytest.fixture(params=KITS)
def kit(request: pytest.FixtureRequest) -> Kit:
    get = request.getfixturevalue
    match request.param:
        case "slack-emulate":
            return slack_kit(get("emulate"), get("start_scripted_slack"))
        case "slack-local":
            return slack_kit(get("local_slack"), get("start_scripted_slack"))
        case "email":
            return email_kit(get("smtp_server"))
        case "webhook":
            return webhook_kit(get("http_receiver"))
        case "apprise":
            return apprise_kit(get("start_http_receiver")(tls=False))
        case _:
            return console_kit()


def send(kit: Kit, told: Message | None = None) -> Receipt:
    return kit.notifier.send(kit.target, told or message(), {}, kit.key)


def test_a_message_arrives_once_and_says_what_matters(kit: Kit) -> None:
    send(kit)
    (arrived,) = kit.told()
    for words in ("vision", "November budget 81 % used", "estimate", "9,740", "12,000", "A-7F3K", "trial-14"):
        assert words in arrived.replace("=\n", "")


def test_several_alerts_are_one_message(kit: Kit) -> None:
    send(kit, message(alert(), over()))
    (arrived,) = kit.told()
    assert "A-7F3K" in arrived
    assert "A-9QXM" in arrived


@pytest.mark.parametrize("kind", [MessageKind.OPERATOR, MessageKind.TEST])
def test_a_notice_without_alerts_arrives(kit: Kit, kind: MessageKind) -> None:
    send(kit, Message(kind, title="Source main is down", text="Connection refused.\nThe last totals stand.", at_ms=NOW))
    (arrived,) = kit.told()
    assert "Source main is down" in arrived
    assert "The last totals stand." in arrived


def test_a_digest_arrives_with_budgets_movers_and_runs(kit: Kit) -> None:
    send(kit, DIGEST)
    (arrived,) = kit.told()
    arrived = arrived.replace("=\n", "")
    for words in (
        "Weekly digest",
        "fraud-detection",
        "14,600",
        "Spent more in the 7 days",
        "trial-14",
        "notebook-test",
    ):
        assert words in arrived


def test_a_reminder_says_why_it_comes(kit: Kit) -> None:
    send(kit, message(over(reason="repeat")))
    (arrived,) = kit.told()
    assert "Reminder: nobody has acknowledged this yet." in arrived.replace("=\n", "")


def test_a_refusal_is_final_and_nothing_arrives(kit: Kit) -> None:
    kit.reject()
    with pytest.raises(DeliveryRejectedError, match=";"):  # after it stands the remedy
        send(kit)
    assert kit.told() == []


def test_not_now_is_no_refusal_and_it_arrives_later(kit: Kit) -> None:
    kit.delay()
    with pytest.raises(DeliveryDelayedError) as caught:
        send(kit)
    assert caught.value.retry_after in (None, 3.0)
    assert kit.told() == []
    kit.mend()
    clear_of_pacing(kit)
    send(kit)
    assert len(kit.told()) == 1


def test_what_may_have_arrived_is_ambiguous_and_can_be_recognised(kit: Kit) -> None:
    if kit.deliver_and_lose is None:
        pytest.skip("a stream is written to or not")
    kit.deliver_and_lose()
    with pytest.raises(DeliveryAmbiguousError):
        send(kit)
    assert len(kit.told()) == 1
    kit.mend()
    found = kit.notifier.find(kit.target, kit.key, NOW - 60_000)
    assert (found is not None) == kit.finds
    if found is not None:
        kit.notifier.update(kit.target, found, message(), {"A-7F3K": acknowledged()}, kit.key)
        assert "Acknowledged by anna" in kit.told()[0]


def test_what_was_lost_is_not_found(kit: Kit) -> None:
    if kit.lose is None:
        pytest.skip("it can't lose what it has taken")
    kit.lose()
    with pytest.raises(DeliveryAmbiguousError):
        send(kit)
    assert kit.notifier.find(kit.target, kit.key, NOW) is None


def test_an_edit_shows_who_has_it_where_the_service_can_edit(kit: Kit) -> None:
    receipt = send(kit)
    before = kit.told()
    kit.notifier.update(kit.target, receipt, message(), {"A-7F3K": acknowledged()}, kit.key)
    if kit.edits:
        (after,) = kit.told()
        assert "Acknowledged by anna" in after
        assert "Mon 23 Nov 14:40" in after
        assert "the next threshold" in after
        assert "'action_id': 'ack'" not in after
    else:
        assert kit.told() == before


def test_the_check_finds_nothing_wrong_and_sends_nothing(kit: Kit) -> None:
    findings = kit.notifier.check([kit.target])
    assert [each for each in findings if each.level == "error"] == []
    assert any(kit.target.receiver in each.subject for each in findings)
    assert kit.told() == []


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_stands_in_a_tag_it_arrives(kit: Kit, text: str) -> None:
    send(kit, message(hostile(text)))
    assert len(kit.told()) == 1


def test_no_error_log_or_repr_shows_a_secret(kit: Kit, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shown: list[str] = [repr(kit.notifier), str(kit.target)]
    troubles: list[Callable[[], None] | None] = [kit.delay, kit.lose, kit.deliver_and_lose, kit.reject]
    for trouble in filter(None, troubles):
        trouble()
        try:
            send(kit)
        except DeliveryError as error:
            shown += [str(error), repr(error), "".join(traceback.format_exception(error))]
        kit.mend()
        clear_of_pacing(kit)
    shown += [str(each) for each in kit.notifier.check([kit.target])]
    shown += [
        f"{record.getMessage()} {record.exc_text} {record.args}"
        for record in caplog.records
        if record.name != "mail.log"
    ]
    assert len(shown) > 4
    for secret in kit.secrets:
        assert not [each for each in shown if secret in each]


def test_every_notifier_that_exists_stands_in_this_suite() -> None:
    found = set()
    for module in pkgutil.walk_packages(alerter.notifiers.__path__, "alerter.notifiers."):
        for _, made in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            kind = getattr(made, "kind", None)
            if isinstance(kind, str) and hasattr(made, "send"):
                found.add(kind)
    assert found == set(NOTIFIERS) == {"slack", "email", "webhook", "apprise", "console"}


def clear_of_pacing(kit: Kit) -> None:
    """Forget what Slack said about waiting: the outbox would have waited."""
    pace = getattr(kit.notifier, "_pace", None)
    if pace is not None:
        pace._next.clear()
