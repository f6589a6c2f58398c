"""Holds over days of real cycles in virtual time: when they end, and what they let through."""

from __future__ import annotations

import json
from pathlib import Path

from alerter.alerts_shown import alerts_json
from alerter.holds import acknowledge, snooze
from alerter.store.engine import Store
from tests.deciding.tools import at, audited, budget, costs, daemon, hourly, told
from tests.truth.ledgers import HOUR


def test_a_snooze_that_ends_is_told_at_once_and_audited(store: Store, tmp_path: Path) -> None:
    monday = at("2026-11-09 10:00")
    with daemon(store, tmp_path, budget('quiet_hours: {from: "20:00", to: "07:00"}'), monday) as home:
        home.source.put(costs("r", 85, monday))
        hourly(home, monday, 1)
        assert snooze(store, "one", actor="ann", via="slack", now_ms=monday, until="3h", note="later").ok
        hourly(home, monday + HOUR, 6)
        assert told(home) == [("Mon 09 10:00", "a", "first", 80), ("Mon 09 13:00", "a", "snooze ended", 80)]
        assert audited(home)[-1] == ("alerter", "cycle", "snooze ended", "snooze by ann until Mon 9 Nov 13:00")
        assert snooze(store, "one", actor="bob", via="cli", now_ms=monday + 8 * HOUR, until="4h").ok  # until 22:00
        hourly(home, monday + 8 * HOUR, 16)
        assert told(home)[2:] == [("Tue 10 07:00", "a", "snooze ended", 80)]
        assert [row[2] for row in audited(home)] == ["snooze", "snooze ended", "snooze", "snooze ended"]


def test_a_hold_until_so_much_more_is_spent_lets_a_higher_threshold_through_and_ends_between(
    store: Store, tmp_path: Path
) -> None:
    monday = at("2026-11-09 10:00")
    with daemon(store, tmp_path, budget("repeat_interval: never"), monday) as home:
        home.source.put(costs("r", 85, monday))
        hourly(home, monday, 1)
        assert acknowledge(store, "one", actor="ann", via="cli", now_ms=monday, until="+$10").text.endswith(
            "$95.00 is spent"
        )
        home.source.put(costs("s", 5, monday))
        hourly(home, monday + HOUR, 2)
        assert len(told(home)) == 1
        home.source.put(costs("t", 6, monday))
        hourly(home, monday + 3 * HOUR, 2)
        assert told(home)[1:] == [("Mon 09 13:00", "a", "hold ended", 80)]
        assert acknowledge(store, "one", actor="ann", via="cli", now_ms=monday + 5 * HOUR, until="$500").ok
        home.source.put(costs("u", 10, monday))
        hourly(home, monday + 5 * HOUR, 2)
        assert told(home)[2:] == [("Mon 09 15:00", "a", "higher threshold", 100)]


def test_until_a_percentage_is_used_nothing_below_it_is_told(store: Store, tmp_path: Path) -> None:
    monday = at("2026-11-09 10:00")
    text = budget("repeat_interval: never").replace("[80%, 100%]", "[50%, 80%, 100%]")
    with daemon(store, tmp_path, text, monday) as home:
        home.source.put(costs("r", 55, monday))
        hourly(home, monday, 1)
        assert acknowledge(store, "one", actor="ann", via="cli", now_ms=monday, until="100%").ok
        home.source.put(costs("s", 30, monday))
        hourly(home, monday + HOUR, 2)
        assert [row[3] for row in told(home)] == [50]
        with home.services.ledger.write() as view:
            shown = {each["threshold"]: each for each in alerts_json(view)["alerts"]}
        assert (shown[80]["status"], shown[80]["silence"]) == ("acknowledged", "held")
        home.source.put(costs("t", 20, monday))
        hourly(home, monday + 3 * HOUR, 2)
        assert told(home)[1:] == [("Mon 09 13:00", "a", "higher threshold", 100)]
        crossed = json.loads(str(home.rows("SELECT message FROM notification ORDER BY id")[1][0]))["alerts"][0]
        assert crossed["crossed"] == ["80%", "100%"]  # what was held back is not lost
        assert audited(home)[-1][2:] == ("hold ended", "ack by ann until 100 %")


def test_a_hold_on_what_has_resolved_ends_without_a_word(store: Store, tmp_path: Path) -> None:
    monday = at("2026-11-09 10:00")
    with daemon(store, tmp_path, budget(period="{rolling_days: 2}"), monday) as home:
        home.source.put(costs("r", 85, monday))
        hourly(home, monday, 1)
        assert snooze(store, "one", actor="ann", via="cli", now_ms=monday, until="3d").ok
        hourly(home, monday + HOUR, 24 * 4)
        assert len(told(home)) == 1  # it fell out of the window meanwhile
        assert home.rows("SELECT status FROM alert") == [("resolved",)]
        assert audited(home)[-1][2:] == ("hold ended", "snooze by ann until Thu 12 Nov 10:00")
