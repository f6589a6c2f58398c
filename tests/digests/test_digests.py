"""Digests on the real cycle, in virtual time, on both databases: who reads what, once a local day."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from alerter.core.alerts import Digest, Message, MessageKind
from alerter.core.digest_wording import digest_lines
from alerter.core.usage import RunObservation
from alerter.cycle import run_cycle
from alerter.store.bulk import query
from alerter.store.digests import digests_sent
from alerter.store.engine import Store
from alerter.store.messages import decode, encode
from tests.truth.ledgers import HOUR, MINUTE, FakeSource, House, config_of, run, services_of

BERLIN = ZoneInfo("Europe/Berlin")
BUDGETS = """
defaults:
  {timezone: Europe/Berlin, period: monthly, thresholds: [100%, forecast 100%], receivers: ["{team}-costs", ml-costs]}
budgets:
  - {name: every-team, group_by: [team], amount: "1000"}
  - {name: everything, amount: "5000", receivers: [ml-costs]}
"""
ALERTER = """
receivers:
  - {name: ml-costs, console: {}}
  - {name: vision-costs, console: {}}
poll: {source_down_after: 15m}
digests:
  - {every: daily, receivers: [ml-costs, vision-costs], at: "09:00"}
"""
PRICES = 'catalogs: []\nprices: [{match: {instance_type: "m5.*"}, per_instance_hour: "2"}]\n'


def at(day: int, hour: int = 0, minute: int = 0, month: int = 11) -> int:
    return round(datetime(2026, month, day, hour, minute, tzinfo=BERLIN).timestamp() * 1000)


def team(uuid: str, name: str, start_ms: int, end_ms: int | None = None, **more: object) -> RunObservation:
    status = "RUNNING" if end_ms is None else "FINISHED"
    return run(uuid, status, start_ms, end_ms, tags={"team": name}, **more)  # type: ignore[arg-type]


@pytest.fixture
def made(store: Store, tmp_path: Path) -> House:
    config = config_of(tmp_path / "config", BUDGETS, PRICES, ALERTER)
    source = FakeSource()
    return House(config, store, source, services_of(config, store, source, at(18)))


def digests(made: House) -> list[tuple[str, Digest]]:
    """(receiver, digest) of every digest in the outbox, oldest first."""
    rows = made.rows("SELECT receiver, message FROM notification ORDER BY id")
    found = [(str(receiver), decode(str(text))) for receiver, text in rows]
    return [(receiver, message.digest) for receiver, message in found if message.digest is not None]


def walk(made: House, *times: int) -> None:
    for now_ms in times:
        made.cycle(now_ms)


def test_a_daily_one_goes_out_once_a_local_day_to_each_receiver(made: House) -> None:
    made.source.put(team("a", "vision", at(17), at(17, 5)))
    walk(made, *range(at(18, 10), at(22, 12), HOUR))  # it was new at 10:00: nobody waits for that morning's
    assert [(who, each.day) for who, each in digests(made)] == [
        (who, f"2026-11-{day}") for day in (19, 20, 21, 22) for who in ("ml-costs", "vision-costs")
    ]
    with made.store.read() as connection:
        assert digests_sent(connection) == {"daily": at(22, 9)}


def test_each_receiver_reads_of_the_budgets_that_it_is_told_of(made: House) -> None:
    made.cycle(at(18, 10))
    made.source.put(
        team("slow", "vision", at(17, 6), at(17, 9)),
        team("big", "vision", at(18, 11), at(18, 21), alive_ms=at(18, 20)),
        team("nlp-1", "nlp", at(18, 11), at(18, 12)),
        team("silent", "nlp", at(18, 22), alive_ms=at(18, 23)),
        team("unpriced", "nlp", at(18, 11), at(18, 12), usage={"instance_type": "no-such"}),
    )
    walk(made, at(19, 8), at(19, 9))
    found = dict(digests(made))
    assert {who: sorted(each.title for each in digest.budgets) for who, digest in found.items()} == {
        "ml-costs": ["everything", "nlp"],
        "vision-costs": ["vision"],
    }
    vision, everything = found["vision-costs"], found["ml-costs"]
    assert [(each.moved_nanos, each.before_nanos) for each in vision.movers] == [(20 * 10**9, 6 * 10**9)]
    assert [(each.name, each.cost_nanos) for each in vision.top] == [("name of big", 20 * 10**9)]
    assert (vision.priced_percent, vision.stale_runs, vision.missing) == (100, 0, ())
    assert [each.run_uuid for each in everything.top][:1] == ["big"]
    assert (everything.stale_runs, everything.stale[0].run_uuid) == (1, "silent")
    assert everything.stale_nanos == everything.stale[0].stale_nanos == 20 * 10**9
    assert everything.priced_percent < 100
    assert [each.title for each in everything.budgets] == sorted(
        ("everything", "nlp"), key=lambda title: -utilization(everything, title)
    )


def utilization(digest: Digest, title: str) -> float:
    budget = next(each for each in digest.budgets if each.title == title)
    return max(budget.spent_nanos, budget.expected_nanos or 0) / budget.amount_nanos


def test_after_downtime_only_the_latest_comes(made: House) -> None:
    made.source.put(team("a", "vision", at(17), at(17, 5)))
    walk(made, at(18, 10), at(19, 9), at(24, 8))
    assert [each.day for who, each in digests(made) if who == "ml-costs"] == ["2026-11-19", "2026-11-23"]


def test_it_waits_for_a_source_that_has_just_failed(made: House) -> None:
    made.source.put(team("a", "vision", at(17), at(17, 5)))
    walk(made, at(18, 10), at(19, 8, 50))
    made.source.fails_after = 0
    walk(made, at(19, 8, 55), at(19, 9), at(19, 9, 5))
    assert digests(made) == []
    made.source.fails_after = None
    walk(made, at(19, 9, 6), at(19, 9, 7))
    assert [(each.day, each.missing) for _, each in digests(made)] == [("2026-11-19", ())] * 2


def test_it_says_which_source_stays_down(made: House) -> None:
    made.source.put(team("a", "vision", at(17), at(17, 5)))
    walk(made, at(18, 10), at(19, 8, 50))
    made.source.fails_after = 0
    walk(made, *range(at(19, 8, 55), at(19, 9, 30), 5 * MINUTE))
    found = digests(made)
    assert [each.missing for _, each in found] == [("source main can't be read since Thu 19 Nov 08:55",)] * 2
    assert made.rows("SELECT missing FROM digest WHERE missing <> ''") == [(found[0][1].missing[0],)]
    assert any("Incomplete: source main" in line for line in digest_lines(found[0][1]))


@pytest.mark.parametrize(
    ("first", "last"), [(at(28, 22, month=3), at(30, 1, month=3)), (at(24, 22, month=10), at(26, 1, month=10))]
)
def test_half_past_two_of_the_day_the_clock_changes(made: House, first: int, last: int, tmp_path: Path) -> None:
    config = config_of(tmp_path / "other", BUDGETS, PRICES, ALERTER.replace("09:00", "02:30"))
    made.restart(first, config)
    walk(made, *range(first, last, 15 * MINUTE))
    assert len([who for who, _ in digests(made) if who == "ml-costs"]) == 1


def test_two_daemons_at_once_claim_it_once(made: House) -> None:
    made.source.put(team("a", "vision", at(17), at(17, 5)))
    walk(made, at(18, 10), at(19, 8, 50))
    others = [services_of(made.config, made.store, made.source, at(19, 8)) for _ in range(2)]
    ready = threading.Barrier(2)

    def cycle(place: int) -> None:
        ready.wait(10)
        run_cycle(others[place], at(19, 9))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(cycle, range(2)))
    assert [who for who, _ in digests(made)] == ["ml-costs", "vision-costs"]
    assert made.rows("SELECT COUNT(*) FROM digest WHERE at_ms = ?", at(19, 9)) == [(1,)]


def test_a_claim_that_is_rolled_back_is_nobodys(made: House) -> None:
    made.source.put(team("a", "vision", at(17), at(17, 5)))
    made.cycle(at(18, 10))
    with made.store.write() as connection:  # an outbox that refuses rows stands for a database that fails in between
        query(connection, "ALTER TABLE notification RENAME TO hidden")
    with pytest.raises(Exception, match="notification"):
        made.cycle(at(19, 9))
    with made.store.write() as connection:
        query(connection, "ALTER TABLE hidden RENAME TO notification")
    made.cycle(at(19, 9, 1))
    assert len(digests(made)) == 2


def test_what_is_stored_is_what_is_read(made: House) -> None:
    made.source.put(team("a", "vision", at(17), at(17, 5)))
    walk(made, at(18, 10), at(19, 9))
    _, digest = digests(made)[0]
    message = Message(MessageKind.DIGEST, title="t", digest=digest)
    assert decode(encode(message)) == message
    assert digest.budgets
