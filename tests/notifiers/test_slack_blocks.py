"""What a Slack message shows: its buttons, its states, its groups; and the validator that guards it."""

import pytest

from alerter.core.alerts import PERIOD_CLOSED, AlertState, AlertStatus, Message, MessageKind
from alerter.notifiers.slack.blocks import is_broadcast, render
from alerter.notifiers.slack.controls import read_snooze
from alerter.notifiers.slack.limits import problems
from tests.notifiers.samples import RESOLVED, acknowledged, alert, at, forecast, message, over


def buttons(told: Message, **states: object) -> list[tuple[str, str]]:
    found = []
    for block in render(told, states).blocks:  # type: ignore[arg-type]
        each = [*block.get("elements", []), block.get("accessory", {})]
        found += [(one["action_id"], one["value"]) for one in each if one.get("type") == "button"]
    return found


def test_buttons_name_their_alert_and_go_when_somebody_has_it() -> None:
    assert buttons(message()) == [("ack", "A-7F3K"), ("open", "A-7F3K")]
    assert buttons(message(), **{"A-7F3K": acknowledged()}) == [("unack", "A-7F3K"), ("open", "A-7F3K")]
    assert buttons(message(), **{"A-7F3K": RESOLVED}) == [("open", "A-7F3K")]
    assert buttons(message(alert(page_url=""))) == [("ack", "A-7F3K")]
    grouped = message(alert(), over(), forecast())
    assert buttons(grouped, **{"A-9QXM": acknowledged()}) == [
        ("ack", "A-7F3K"),
        ("unack", "A-9QXM"),
        ("ack", "A-2HDC"),
    ]


def snoozes(told: Message) -> list[str]:
    found = []
    for block in render(told, {}).blocks:
        for element in block.get("elements", []):
            found += [each["value"] for each in element.get("options", [])]
    return found


def test_the_snooze_menu_names_its_alert_and_until_when() -> None:
    offered = [read_snooze(each) for each in snoozes(message())]
    assert offered == [("A-7F3K", until) for until in ("1h", "4h", "tomorrow", "monday", "period")]
    assert "A-7F3K period" not in snoozes(message(alert(period="last 30 days")))


def test_a_reminder_says_so_and_a_reply_leaves_out_what_stands_above_it() -> None:
    reminder = message(alert(reason="repeat"))
    alone, reply = (str(render(reminder, {}, reply=each).blocks) for each in (False, True))
    assert "Reminder: nobody has acknowledged this yet." in alone
    assert "Reminder: nobody has acknowledged this yet." in reply
    assert "trial-14" in alone
    assert "trial-14" not in reply
    assert "Next message at 100 %." in reply
    assert "Reminder" not in str(render(reminder, {"A-7F3K": acknowledged()}, reply=True).blocks)
    assert "trial-14" in str(render(message(alert(reason="higher threshold")), {}, reply=True).blocks)


def test_only_a_reminder_that_mentions_somebody_stays_in_its_thread() -> None:
    assert is_broadcast(message(alert(reason="higher threshold", mention="U012ABCDE")))
    assert is_broadcast(message(alert(reason="repeat")))
    assert not is_broadcast(message(alert(reason="repeat", mention="U012ABCDE")))
    assert not is_broadcast(message(alert(reason="repeat", mention="S012ABCDE")))
    assert is_broadcast(message(alert(reason="repeat", mention="U012ABCDE"), alert(reason="repeat", id="A-2222")))
    for handle in ("@here", "@channel", "@ml-oncall"):  # in a thread none of these reaches anybody
        assert is_broadcast(message(alert(reason="repeat", mention=handle)))


def test_the_end_of_a_period_strikes_nothing_out() -> None:
    """A green tick over a budget that was overspent said that all was well."""
    closed = AlertState(AlertStatus.RESOLVED, at_ms=at(30, 23, 59), note=f"{PERIOD_CLOSED} at $1,310")
    for told in (message(over()), message(over(), alert())):
        shown = str(render(told, {"A-9QXM": closed, "A-7F3K": closed}).blocks)
        assert "🏁" in shown
        assert "The period closed at $1,310, Mon 30 Nov 23:59" in shown
        assert "~" not in shown
        assert "✅" not in shown
        assert "Acknowledge" not in shown


def test_a_resolved_alert_is_struck_and_says_why() -> None:
    made = render(message(), {"A-7F3K": RESOLVED})
    shown = str(made.blocks)
    assert "✅ ~vision · November budget 81 % used (estimate)~" in shown
    assert "the amount was raised to $20,000" in shown
    assert "'action_id': 'ack'" not in shown


def test_a_person_of_slack_is_shown_by_name() -> None:
    assert "Acknowledged by <@U01ANNA>" in str(render(message(), {"A-7F3K": acknowledged(by="U01ANNA")}).blocks)


def test_a_long_group_shows_ten_and_counts_the_rest() -> None:
    many = [alert(id=f"A-{number:04d}", title=f"team-{number}") for number in range(14)]
    made = render(message(*many, kind=MessageKind.OPENING), {})
    assert problems(made.blocks, made.text) == []
    shown = str(made.blocks)
    assert "team-9" in shown
    assert "team-10" not in shown
    assert "and 4 more" in shown


BROKEN: list[tuple[list[dict[str, object]], str]] = [
    ([{"type": "divider"}] * 51, "51 blocks"),
    ([{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}], "151 characters"),
    ([{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}], "plain_text only"),
    ([{"type": "section", "text": {"type": "mrkdwn", "text": ""}}], "0 characters"),
    ([{"type": "section"}], "needs text"),
    ([{"type": "divider", "block_id": "b"}, {"type": "divider", "block_id": "b"}], "stands twice"),
    ([{"type": "marquee"}], "unknown type"),
    ([{"type": "context", "elements": []}], "0 context elements"),
]


@pytest.mark.parametrize(("blocks", "why"), BROKEN, ids=[why for _, why in BROKEN])
def test_the_validator_knows_what_slack_refuses(blocks: list[dict[str, object]], why: str) -> None:
    assert any(why in each for each in problems(blocks, "text"))
