"""A daemon in virtual time, and what it told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from alerter.core.usage import RunObservation
from alerter.store.engine import Store
from tests.truth.ledgers import HOUR, FakeSource, House, config_of, run, services_of

BERLIN = ZoneInfo("Europe/Berlin")
PRICES = 'catalogs: []\nprices: [{match: {instance_type: m5.xlarge}, per_instance_hour: "10"}]\n'
RECEIVERS = """
sources: [{name: main, tracking_uri: http://127.0.0.1:5000}]
receivers: [{name: a, console: {}}, {name: b, group: false, console: {}}, {name: oncall, console: {}}]
"""


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp() * 1000)


def when(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, BERLIN):%a %d %H:%M}"


def budget(keys: str = "", period: str = "monthly", receivers: str = "[a]") -> str:
    return f"""
defaults: {{timezone: Europe/Berlin, receivers: {receivers}, thresholds: [80%, 100%]}}
budgets:
  - {{name: one, amount: "100", period: {period}{", " + keys if keys else ""}}}
"""


@contextmanager
def daemon(store: Store, folder: Path, budgets: str, now_ms: int) -> Iterator[House]:
    """A daemon that has watched since before anything was spent."""
    config = config_of(folder, budgets, PRICES, RECEIVERS)
    source = FakeSource()
    home = House(config, store, source, services_of(config, store, source, now_ms))
    home.cycle(now_ms - HOUR)
    yield home


def costs(name: str, dollars: int, end_ms: int) -> RunObservation:
    return run(name, "FINISHED", end_ms - dollars * HOUR // 10, end_ms)


def told(home: House) -> list[tuple[str, str, str, int]]:
    """(when, receiver, reason, percent) of each episode of each message."""
    rows = home.rows("SELECT receiver, message FROM notification ORDER BY id")
    found = []
    for receiver, text in rows:
        message = json.loads(str(text))
        found += [
            (when(message["at_ms"]), str(receiver), each["reason"], each["percent"]) for each in message["alerts"]
        ]
    return found


def hourly(home: House, start_ms: int, hours: int, at_hour: Callable[[int], None] | None = None) -> None:
    for hour in range(hours):
        if at_hour is not None:
            at_hour(hour)
        home.cycle(start_ms + hour * HOUR)


def audited(home: House) -> list[tuple[object, ...]]:
    return home.rows("SELECT actor, via, action, detail FROM audit ORDER BY id")
