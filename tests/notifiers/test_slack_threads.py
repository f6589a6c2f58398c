"""Replies in Slack: under the message that told of the same before, found there, posted alone where it is gone."""

import pytest

from alerter.core.ports import Receipt, Target
from tests.fixtures.scripted_slack import FORWARD, ScriptedSlack, ScriptedStarter, Step
from tests.fixtures.slack_emulator import SlackServer
from tests.notifiers.samples import NOW, acknowledged, alert, message, over
from tests.notifiers.test_slack import TARGET, notifier

ROOT = Receipt({"channel": "C01COST77", "ts": "1.1"})
HIGHER = message(alert(reason="higher threshold", percent=100))


def test_a_reply_is_shown_in_the_channel_too_a_reminder_that_mentions_is_not(scripted_slack: ScriptedSlack) -> None:
    slack = notifier(scripted_slack)
    receipt = slack.send(TARGET, HIGHER, {}, "k", ROOT)
    assert receipt == Receipt({"channel": "C01COST", "ts": "1.000100", "thread": "1.1"})
    slack.send(TARGET, message(over(reason="repeat", mention="U012ABCDE")), {}, "k2", ROOT)
    first, second = scripted_slack.asked("chat.postMessage")
    assert (first["thread_ts"], first["reply_broadcast"]) == ("1.1", True)
    assert (second["thread_ts"], second["reply_broadcast"]) == ("1.1", False)


def test_an_edited_reply_stays_as_short_as_it_was(scripted_slack: ScriptedSlack) -> None:
    reminder = message(alert(reason="repeat"))
    receipt = Receipt({**ROOT.reference, "thread": "1.0"})
    notifier(scripted_slack).update(TARGET, receipt, reminder, {"A-7F3K": acknowledged()}, "k")
    (body,) = scripted_slack.asked("chat.update")
    assert "Acknowledged by anna" in str(body["blocks"])
    assert "trial-14" not in str(body["blocks"])


@pytest.mark.parametrize("code", ["thread_not_found", "message_not_found", "cannot_reply_to_message"])
def test_without_its_root_a_reply_is_posted_by_itself(scripted_slack: ScriptedSlack, code: str) -> None:
    scripted_slack.script(Step(200, {"ok": False, "error": code}))
    receipt = notifier(scripted_slack).send(TARGET, message(alert(reason="repeat")), {}, "k", ROOT)
    assert not receipt.is_reply
    _, second = scripted_slack.asked("chat.postMessage")
    assert "thread_ts" not in second
    assert "trial-14" in str(second["blocks"])  # nothing stands above it any more


def test_a_look_up_goes_through_the_thread_and_then_the_channel(scripted_slack: ScriptedSlack) -> None:
    posted = {"ts": "5.5", "metadata": {"event_payload": {"key": "k"}}}
    scripted_slack.script(
        Step(200, {"ok": False, "error": "thread_not_found"}), Step(200, {"ok": True, "messages": [posted]})
    )
    target = Target("r", {"channel": "C01COST77"})
    assert notifier(scripted_slack).find(target, "k", NOW, ROOT) == Receipt({"channel": "C01COST77", "ts": "5.5"})
    assert scripted_slack.asked("conversations.replies")[0]["ts"] == "1.1"
    assert len(scripted_slack.asked("conversations.history")) == 1


@pytest.mark.needs_node
def test_a_reply_whose_answer_was_lost_is_found_in_its_thread(
    emulate: SlackServer, start_scripted_slack: ScriptedStarter
) -> None:
    front = start_scripted_slack(upstream=emulate.base_url, otherwise=FORWARD)
    slack, target = notifier(front, emulate.token), Target("r", {"channel": "ml-costs"})
    root = slack.send(target, message(), {}, "root-of-lost")
    reply = slack.send(target, HIGHER, {}, "lost-reply", root)
    assert reply.reference["thread"] == root.reference["ts"]
    assert slack.find(target, "lost-reply", NOW - 3_600_000, root) == reply
    assert front.asked("conversations.history") == []
    assert slack.find(target, "never-sent", NOW - 3_600_000, root) is None


@pytest.mark.needs_local_slack
def test_a_reply_stands_in_its_thread(local_slack: SlackServer) -> None:
    slack = notifier(local_slack, local_slack.token)
    root = slack.send(TARGET, message(), {}, "root")
    slack.send(TARGET, HIGHER, {}, "reply", root)
    threads = [each.get("thread_ts") for each in local_slack.control("messages/C01COST")["messages"]]
    assert root.reference["ts"] in threads
