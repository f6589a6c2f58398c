"""Where reading stands: small, immutable, kept as text by whoever records the batches."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, field

log = logging.getLogger(__name__)

VERSION = 1


@dataclass(frozen=True, slots=True)
class Position:
    """How far a walk came: the key (epoch ms) of the last row, and a page token if it stopped inside a tie."""

    at_ms: int | None = None
    token: str = ""


START = Position()


@dataclass(frozen=True, slots=True)
class Cursor:
    """The state between polls.

    Attributes:
        settings: fingerprint of what decides which runs are read and what of them is kept; another one sweeps anew.
        swept: everything was seen once (it stays so during a later sweep).
        sweep: where the sweep under way goes on; None if none is.
        sweep_from_ms: when that sweep began; ``sweep_count`` runs were read since.
        since_ms: the watermark: before it, finished runs have been read.
        high_ms: the latest start or end seen on any run.
        rest: where the turn through the overlap goes on.
        past: where the turn through the closed periods goes on.
        leg, slice: where the turn through the open periods goes on: leg 0 began before them, leg 1 in them.
        turn_count, turn_total: runs read in this turn, and in the last whole one (0: none yet).
    """

    settings: str
    swept: bool = False
    sweep: Position | None = START
    sweep_from_ms: int = 0
    sweep_count: int = 0
    since_ms: int = 0
    high_ms: int = 0
    rest: Position = field(default=START)
    past: Position = field(default=START)
    leg: int = 0
    slice: Position = field(default=START)
    turn_count: int = 0
    turn_total: int = 0

    def text(self) -> str:
        """Return it as text for a batch."""
        return json.dumps({"v": VERSION, **asdict(self)}, separators=(",", ":"))


def parse(text: str, settings: str) -> Cursor:
    """Return the cursor that `Cursor.text` wrote, or one that sweeps anew: for ``""``, unknown text, other settings."""
    if not text:
        return Cursor(settings)
    try:
        cursor = _read(text)
    except (ValueError, TypeError, KeyError, AttributeError):
        log.warning("cursor is unreadable, sweeping everything again")
        return Cursor(settings)
    if cursor.settings != settings:
        log.info("source settings changed, sweeping everything again")
        return Cursor(settings, swept=cursor.swept)
    return cursor


def _read(text: str) -> Cursor:
    raw = json.loads(text)
    if raw.pop("v") != VERSION:
        raise ValueError(text)
    sweep = raw.pop("sweep")
    return Cursor(
        **{
            **raw,
            "sweep": None if sweep is None else Position(**sweep),
            "rest": Position(**raw["rest"]),
            "past": Position(**raw.get("past", {})),
            "slice": Position(**raw["slice"]),
        }
    )
