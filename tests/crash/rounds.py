"""One round: a budget is crossed, the daemon dies at a point, another takes over; then what people got is counted."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from tests.crash.points import Point
from tests.crash.scene import CHANNEL, Ledger, Stage, eventually, ledger, spend

AHEAD_S = 61
"""How far the clock of the daemon that takes over is ahead: past every lease, and the wait before a look-up."""

_FIRST, _SECOND = 8.5, 2.5
_SHOWN = {False: "$8.50 of", True: "$11.00 of"}


@dataclass(frozen=True)
class Box:
    """What a channel got: messages that never came, and copies beyond the first."""

    lost: int
    doubled: int


@dataclass(frozen=True)
class Outcome:
    """How a round ended; ``outdated`` is what Slack's first message shows, if that isn't the present.

    ``failed`` says why a round came to no end.
    """

    point: Point
    slack: Box = Box(0, 0)
    smtp: Box = Box(0, 0)
    outdated: str = ""
    failed: str = ""


def template(stage: Stage, name: str) -> Path:
    """Return a database whose daemon has watched since before anything was spent."""
    stage.mlflow.experiment(name)
    empty = ledger(stage, name, None)
    stage.start(empty.order)
    eventually(
        lambda: empty.rows("SELECT 1 FROM meta WHERE name = 'evaluated_ms'"), lambda: f"the first cycle\n{empty.log()}"
    )
    stage.stop()
    return empty.folder / "alerter.db"


def play(stage: Stage, point: Point, name: str, database: Path) -> Outcome:
    """Play one round.

    Raises:
        RuntimeError: the daemon didn't come to the point, or failed.
        TimeoutError: what it should do took too long.
    """
    experiment = stage.mlflow.experiment(name)
    mine = ledger(stage, name, database)
    armed = mine.folder / "armed"
    order = replace(mine.order, armed=str(armed))
    if not point.on_the_wire:
        order = replace(order, thread=point.thread, when=point.when, what=point.what)
    spend(stage.mlflow, experiment, _FIRST)
    if point.reply:
        stage.start(order)
        eventually(lambda: mine.settled(2), lambda: f"{name}: the first message\n{mine.log()}")
        spend(stage.mlflow, experiment, _SECOND)
    stage.fatal = point if point.on_the_wire else None
    armed.touch()
    if not point.reply:
        stage.start(order)
    if not stage.ended():
        raise RuntimeError(f"{name}: not killed at {point.label}")
    stage.start(replace(mine.order, log=str(mine.folder / "second.log"), ahead_s=AHEAD_S))
    number = 4 if point.reply else 2
    eventually(lambda: mine.taken_over() and mine.settled(number), lambda: f"{name}: after {point.label}\n{mine.log()}")
    stage.stop()
    return _count(stage, point, mine)


def _count(stage: Stage, point: Point, mine: Ledger) -> Outcome:
    expected = 2 if point.reply else 1
    roots = [each for each in stage.slack.messages(CHANNEL) if mine.name in json.dumps(each)]
    posted = {each["ts"]: each for each in roots}
    for ts in list(posted):
        posted |= {each["ts"]: each for each in stage.slack.thread(CHANNEL, ts)}
    keys = [each["metadata"]["event_payload"]["key"] for each in posted.values()]
    mails = [each.message for each in stage.smtp.mails if mine.name in each.message["Subject"]]
    ids = [each["Message-ID"] for each in mails]
    shown = json.dumps(roots[:1], ensure_ascii=False)
    # A copy is known by its key; what has another one is another message, which nobody should have had.
    other = max(len(set(keys)), len(set(ids))) > expected
    failed = f"{mine.name}: {point.label}: {sorted(set(keys))} {sorted(set(ids))}" if other else ""
    outdated = "" if _SHOWN[point.reply] in shown else f"{mine.name}: {point.label}: {shown}"
    return Outcome(point, _box(keys, expected), _box(ids, expected), outdated, failed)


def _box(ids: list[str], expected: int) -> Box:
    return Box(lost=max(expected - len(set(ids)), 0), doubled=len(ids) - min(expected, len(set(ids))))
