"""Cycles and deliveries together: a budget's whole story at one place is one message and its thread."""

import threading
from pathlib import Path

import pytest

from alerter.core.money import NANOS
from alerter.delivery import deliver_due
from alerter.holds import acknowledge
from alerter.store.engine import Store
from tests.delivery.fakes import Clock, Service
from tests.truth.ledgers import HOUR, FakeSource, House, config_of, run, services_of

DAY = 24 * HOUR
START = 1_793_487_600_000  # 2026-11-01 00:00 in Berlin
BUDGETS = """
defaults: {timezone: Europe/Berlin, period: monthly, thresholds: [50%, 100%], receivers: [ml-costs]}
budgets:
  - {name: every-team, group_by: [team], amount: "100"}
"""
PRICES = 'catalogs: []\nprices: [{match: {instance_type: "m5.*"}, per_instance_hour: "1"}]\n'
ALERTER = 'receivers: [{name: ml-costs, slack: {channel: "#ml-costs"}, group: GROUP}]\n'


def spent(made: House, team: str, hours: int, number: int = 1) -> None:
    """Let a run of a team have cost so many dollars."""
    made.source.put(run(f"{team}-{number}", "FINISHED", START, START + hours * HOUR, tags={"team": team}))


class Channel:
    """A channel under a house: what goes there, as keys of messages by what they tell."""

    def __init__(self, made: House) -> None:
        self.made = made
        self.clock = Clock(START + 5 * DAY)
        self.slack = Service(self.clock)

    def cycle(self) -> list[tuple[list[str], bool]]:
        """Run a cycle and deliver; return for each new message its titles, and whether it is a reply."""
        before = len(self.slack.told)
        self.clock.now_ms += HOUR
        self.made.cycle(self.clock.now_ms)
        stop = threading.Event()
        while deliver_due(self.made.store, {"slack": self.slack}, clock=self.clock, owner="me", stop=stop):
            pass
        new = zip(self.slack.told[before:], self.slack.keys[before:], strict=True)
        return [
            (sorted(each.title for each in message.alerts), self.slack.threads[key] is not None)
            for (_, message, _), key in new
        ]


@pytest.fixture
def channel(store: Store, tmp_path: Path, request: pytest.FixtureRequest) -> Channel:
    group = str(getattr(request, "param", "true"))
    config = config_of(tmp_path / "config", BUDGETS, PRICES, ALERTER.replace("GROUP", group))
    source = FakeSource()
    made = House(config, store, source, services_of(config, store, source, START))
    found = Channel(made)
    found.cycle()  # the first sync is over
    return found


def test_new_ones_come_as_one_message_and_what_follows_replies_to_it(channel: Channel) -> None:
    for team in ("vision", "speech"):
        spent(channel.made, team, 60)
    assert channel.cycle() == [(["speech", "vision"], False)]
    assert channel.cycle() == []
    spent(channel.made, "vision", 50, number=2)
    spent(channel.made, "nlp", 60)
    assert channel.cycle() == [(["vision"], True), (["nlp"], False)]
    shown = {each.title: each for each in channel.slack.shown[channel.slack.keys[0]].alerts}
    assert {title: each.spent_nanos // NANOS for title, each in shown.items()} == {"vision": 110, "speech": 60}
    assert {title: each.crossed for title, each in shown.items()} == {"vision": ("50%", "100%"), "speech": ("50%",)}
    for team in ("vision", "speech", "nlp"):
        spent(channel.made, team, 70, number=3)
    assert channel.cycle() == [(["speech", "vision"], True), (["nlp"], True)]


@pytest.mark.parametrize("channel", ["false"], indirect=True)
def test_without_groups_each_has_its_own_message_and_thread(channel: Channel) -> None:
    for team in ("vision", "speech"):
        spent(channel.made, team, 60)
    assert sorted(channel.cycle()) == [(["speech"], False), (["vision"], False)]
    for team in ("vision", "speech"):
        spent(channel.made, team, 50, number=2)
    assert sorted(channel.cycle()) == [(["speech"], True), (["vision"], True)]


def test_a_reminder_replies_and_an_acknowledgement_is_shown_on_both(channel: Channel) -> None:
    spent(channel.made, "vision", 110)
    assert channel.cycle() == [(["vision"], False)]
    channel.clock.now_ms += 3 * DAY  # over any weekend
    assert channel.cycle() == [(["vision"], True)]
    assert channel.slack.told[-1][1].alerts[0].reason == "repeat"
    acknowledge(channel.made.store, "vision", actor="ann", via="cli", now_ms=channel.clock.now_ms)
    assert channel.cycle() == []
    by = {key: {each.by for each in states.values()} for key, _, states in channel.slack.updated}
    assert by == {key: {"ann"} for key in channel.slack.keys}
