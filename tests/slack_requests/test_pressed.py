"""What is pressed or chosen on a message does what the command that says the same does."""

from typing import Any

import pytest

from alerter.core.until import UntilKind, parse
from alerter.notifiers.slack.controls import SNOOZES
from alerter.slack_requests.handle import handle_interaction
from alerter.slack_requests.policy import Policy
from tests.fixtures.window_data import NOW_MS, FakeDesk
from tests.slack_requests.asking import OPEN, button, chosen


def test_a_pressed_button_acknowledges_its_alert() -> None:
    desk = FakeDesk()
    reply = handle_interaction(button(), desk, OPEN)
    assert reply is not None
    assert "Acknowledged A-7F3K" in reply.text
    assert desk.calls == [("ack", "A-7F3K", "slack:U01ANNA (anna)", "slack", "", None)]


def test_what_is_pressed_or_chosen_is_done() -> None:
    desk = FakeDesk()
    for payload in (button(actions=[{"action_id": "unack", "value": "A-7F3K"}]), chosen("A-7F3K tomorrow")):
        assert handle_interaction(payload, desk, OPEN) is not None
    assert desk.calls == [
        ("unack", "A-7F3K", "slack:U01ANNA (anna)", "slack"),
        ("snooze", "A-7F3K", "slack:U01ANNA (anna)", "slack", "", "tomorrow"),
    ]


@pytest.mark.parametrize("offered", [value for _, value in SNOOZES])
def test_whatever_the_menu_offers_is_an_end_of_a_hold(offered: str) -> None:
    assert parse(offered, now_ms=NOW_MS, zone="Europe/Berlin", currency="USD").kind in (
        UntilKind.TIME,
        UntilKind.PERIOD,
    )


@pytest.mark.parametrize(
    "payload",
    [
        chosen(""),
        chosen("A-7F3K"),
        button(actions=[{"action_id": "snooze", "selected_option": None}]),
        button(actions=[{"action_id": "snooze", "selected_option": {"value": 7}}]),
        button(actions=[{"action_id": "open", "url": "https://x"}]),
        button(actions=[]),
        button(actions="ack"),
        button(actions=[{"action_id": "ack", "value": {"no": "text"}}]),
        {"type": "view_submission"},
        {},
    ],
)
def test_what_is_no_ack_is_ignored(payload: dict[str, Any]) -> None:
    desk = FakeDesk()
    assert handle_interaction(payload, desk, OPEN) is None
    assert not desk.calls


def test_a_missing_team_is_not_let_through_a_list_of_teams() -> None:
    desk = FakeDesk()
    handle_interaction(button(team=None, user={"id": "U01ANNA"}), desk, Policy(teams=frozenset({"T01TEST"})))
    assert [call[0] for call in desk.calls] == ["refused"]
