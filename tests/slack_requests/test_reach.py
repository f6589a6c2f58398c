"""Where a channel reaches only its own budgets, another team's are not listed, explained, acknowledged or snoozed."""

from decimal import Decimal
from pathlib import Path

import pytest

from alerter.desk import FrontDesk
from alerter.slack_requests.handle import handle_command, handle_interaction
from alerter.slack_requests.policy import Policy
from alerter.store.engine import Store
from tests.slack_requests.asking import button, command
from tests.truth.ledgers import HOUR, FakeSource, House, config_of, run, services_of

START = 1_793_487_600_000  # 2026-11-01 00:00 in Berlin
NOW = START + 10 * 24 * HOUR
BUDGETS = """
defaults: {timezone: Europe/Berlin, period: monthly, thresholds: [50%, {at: 100%, receivers: [oncall]}]}
budgets:
  - {name: every-team, group_by: [team], amount: "100", receivers: ["{team}-costs", ml-costs]}
"""
PRICES = 'catalogs: []\nprices: [{match: {instance_type: "m5.*"}, per_instance_hour: "1"}]\n'
ALERTER = """
receivers:
  - {name: ml-costs, slack: {channel: "#ml-costs"}}
  - {name: vision-costs, slack: {channel: C0VISION1}}
  - {name: oncall, email: {to: [oncall@example.com]}}
email: {host: smtp.example.com, from: budgets@example.com}
"""
OWN = Policy(own_budgets_only=True)
VISION = {"channel_id": "C0VISION1", "channel_name": "privategroup"}


@pytest.fixture
def made(store: Store, tmp_path: Path) -> House:
    config = config_of(tmp_path / "config", BUDGETS, PRICES, ALERTER)
    source = FakeSource()
    made = House(config, store, source, services_of(config, store, source, NOW))
    made.cycle(NOW)
    for team in ("vision", "speech"):
        source.put(run(f"{team}-1", "FINISHED", START, START + 60 * HOUR, tags={"team": team}))
    made.cycle(NOW + HOUR)
    return made


@pytest.fixture
def desk(made: House) -> FrontDesk:
    return FrontDesk(lambda: made.services, lambda: NOW + HOUR, lambda: None)


def alert_of(made: House, team: str) -> str:
    sql = "SELECT a.public_id FROM alert a JOIN scope s ON s.id = a.scope_id WHERE s.key LIKE ?"
    return str(made.rows(sql, f"%{team}%")[0][0])


def test_a_channel_sees_and_acknowledges_what_is_told_in_it(made: House, desk: FrontDesk) -> None:
    said = handle_command(command("list", **VISION), desk, OWN).text
    assert "vision" in said
    assert "speech" not in said
    top = handle_command(command("top", **VISION), desk, OWN).text
    assert "vision-1" in top
    assert "speech" not in top
    assert "is acknowledged by" in handle_command(command("ack every-team", **VISION), desk, OWN).text
    assert made.rows("SELECT kind FROM hold") == [("ack",)]


@pytest.mark.parametrize("verb", ["ack", "unack", "snooze", "explain"])
@pytest.mark.parametrize("by_id", [True, False])
def test_another_teams_budget_is_one_clear_line(made: House, desk: FrontDesk, verb: str, by_id: bool) -> None:  # noqa: FBT001 - by pytest
    name = alert_of(made, "speech") if by_id else "speech" if verb != "explain" else "name of speech-1"
    text = f"{verb} {name} 4h" if verb == "snooze" else f"{verb} {name}"
    reply = handle_command(command(text, **VISION), desk, OWN)
    assert len(reply.lines) == 1
    assert "is of a budget that is not told in this channel" in reply.text
    assert made.rows("SELECT COUNT(*) FROM hold") == [(0,)]
    if verb != "explain":
        assert made.rows("SELECT action, detail FROM audit") == [(verb, "elsewhere")]


def test_a_button_is_pressed_in_the_channel_of_its_alert(made: House, desk: FrontDesk) -> None:
    action = {"action_id": "ack", "value": alert_of(made, "speech")}
    elsewhere = button(channel={"id": "C0VISION1", "name": "privategroup"}, actions=[action])
    reply = handle_interaction(elsewhere, desk, OWN)
    assert reply is not None
    assert "not told in this channel" in reply.text
    reply = handle_interaction(button(actions=[action]), desk, OWN)  # in #ml-costs
    assert reply is not None
    assert "is acknowledged by" in reply.text


def test_without_the_setting_everybody_reaches_everything(desk: FrontDesk) -> None:
    assert "speech" in handle_command(command("list over 50", **VISION), desk, Policy()).text
    assert desk.within(["C0NOBODY1"]).over(Decimal(0)) == []
