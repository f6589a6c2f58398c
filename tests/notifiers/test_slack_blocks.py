"""What a Slack message shows: its buttons, its states, its groups; and the validator that guards it."""

import pytest

from alerter.core.alerts import Message, MessageKind
from alerter.notifiers.slack.blocks import render
from alerter.notifiers.slack.limits import problems
from tests.notifiers.samples import RESOLVED, acknowledged, alert, forecast, message, over


def buttons(told: Message, **states: object) -> list[tuple[str, str]]:
    found = []
    for block in render(told, states).blocks:  # type: ignore[arg-type]
        each = [*block.get("elements", []), block.get("accessory", {})]
        found += [(one["action_id"], one["value"]) for one in each if one.get("type") == "button"]
    return found


def test_buttons_name_their_alert_and_go_when_somebody_has_it() -> None:
    assert buttons(message()) == [("ack", "A-7F3K"), ("open", "A-7F3K")]
    assert buttons(message(), **{"A-7F3K": acknowledged()}) == [("open", "A-7F3K")]
    assert buttons(message(alert(page_url=""))) == [("ack", "A-7F3K")]
    grouped = message(alert(), over(), forecast())
    assert buttons(grouped, **{"A-9QXM": acknowledged()}) == [("ack", "A-7F3K"), ("ack", "A-2HDC")]


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
