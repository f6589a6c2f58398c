"""`show_users: false`: a channel that many people read is told everything but who started a run."""

from pathlib import Path

from alerter.core.alerts import DigestBudget
from alerter.core.plain_text import text as plain, title
from alerter.core.privacy import without_users
from alerter.store.engine import Store
from alerter.store.messages import decode
from tests.notifiers.samples import alert, message, run as evidence
from tests.truth.ledgers import HOUR, FakeSource, House, config_of, run, services_of

NOW = 1_795_435_200_000
PRICES = 'catalogs: []\nprices: [{match: {instance_type: m5.xlarge}, per_instance_hour: "10"}]\n'
RECEIVERS = """\
receivers:
  - {name: leads, console: {}}
  - {name: everybody, console: {}, show_users: false}
digests: [{every: daily, at: "00:00", receivers: [leads, everybody]}]
"""
BUDGETS = """\
defaults: {period: monthly, receivers: [leads, everybody]}
budgets:
  - {name: all, amount: 100}
  - {name: each, amount: 50, group_by: [user]}
"""


def test_one_channel_reads_names_and_the_other_does_not(store: Store, tmp_path: Path) -> None:
    config = config_of(tmp_path, BUDGETS, PRICES, RECEIVERS)
    source = FakeSource()
    home = House(config, store, source, services_of(config, store, source, NOW))
    home.cycle(NOW - 30 * HOUR)
    source.put(run("r", "FINISHED", NOW - 20 * HOUR, NOW - 5 * HOUR, tags={"user": "ann"}))
    home.cycle(NOW)
    home.cycle(NOW + 24 * HOUR)  # the digest
    told: dict[str, str] = {"leads": "", "everybody": ""}
    for receiver, text in home.rows("SELECT receiver, message FROM notification"):
        shown = decode(str(text))
        told[str(receiver)] += f"{title(shown, {})}\n{plain(shown, {})}\n"
    assert "name of r · ann · ended" in told["leads"]
    assert told["leads"].count("ann") >= 3
    assert "ann" not in told["everybody"]
    assert "name of r · ended" in told["everybody"]
    assert "(user)" in told["everybody"]


def test_a_user_among_several_tags_is_hidden_alone() -> None:
    told = message(alert(budget="b", title="ann / vision", scope=(("user", "ann"), ("team", "vision"))))
    (shown,) = without_users(told).alerts
    assert (shown.scope, shown.title) == ((("user", "(user)"), ("team", "vision")), "(user) / vision")


def test_nothing_else_changes() -> None:
    told = message(alert(top=(evidence(user="ann"),), owner="@vision-lead"))
    (before,), (shown,) = told.alerts, without_users(told).alerts
    assert shown.owner == "@vision-lead"
    assert shown.top == (evidence(),)
    assert (shown.title, shown.scope, shown.id) == (before.title, before.scope, before.id)
    assert DigestBudget("vision", "November", 1, 1, None, 1, 1, 1).names_user is False
